import { expect, test } from 'vitest'
import { PRIORITY_CLASSES, type PriorityClass } from './access.ts'
import { IN_FLIGHT_MAX, STREAMS_MAX, type LoadGate, createLoadGate } from './load-gate.ts'

/** How many calls of the class get in, of as many as there are places. */
function fill(gate: LoadGate, priority: PriorityClass, calls = IN_FLIGHT_MAX): number {
  let entered = 0
  for (let call = 0; call < calls; call += 1) {
    if (gate.enter({ kind: 'unary', class: priority })) entered += 1
  }
  return entered
}

const isIn = (gate: LoadGate, priority: PriorityClass): boolean => {
  const entered = gate.enter({ kind: 'unary', class: priority })
  if (entered) gate.leave('unary')
  return entered
}

const letIn = (gate: LoadGate) => PRIORITY_CLASSES.filter((priority) => isIn(gate, priority))

test('I22: a flood of any class leaves places for each class above it', () => {
  const gate = createLoadGate()
  const entered = PRIORITY_CLASSES.toReversed().map((priority) => fill(gate, priority))
  expect(entered).toEqual([128, 32, 32, 32, 32])
  expect(gate.inFlight()).toBe(IN_FLIGHT_MAX)
  expect(letIn(gate)).toEqual([])
  gate.leave('unary')
  expect(letIn(gate)).toEqual(['pay'])
})

test('the most precious class may take every place, and no more', () => {
  const gate = createLoadGate()
  expect(fill(gate, 'pay', 300)).toBe(IN_FLIGHT_MAX)
})

test('streams have places of their own', () => {
  const gate = createLoadGate()
  fill(gate, 'pay')
  let entered = 0
  for (let call = 0; call < STREAMS_MAX + 5; call += 1) {
    if (gate.enter({ kind: 'stream', class: 'browse' })) entered += 1
  }
  expect([entered, gate.streams()]).toEqual([STREAMS_MAX, STREAMS_MAX])
  gate.leave('stream')
  expect(gate.enter({ kind: 'stream', class: 'browse' })).toBe(true)
})

test('I22: long waits shed one class per window from the lowest on, never the highest', () => {
  const gate = createLoadGate()
  fill(gate, 'pay', 64)
  const seen = [letIn(gate)]
  for (let window = 0; window < 6; window += 1) {
    gate.endWindow(20.1)
    seen.push(letIn(gate))
  }
  expect(seen.map((classes) => classes.length)).toEqual([5, 4, 3, 2, 1, 1, 1])
  expect(seen[1]).toEqual(['pay', 'checkout', 'cart-write', 'browse'])
  expect(seen.at(-1)).toEqual(['pay'])
  // Between the two bounds nothing changes, so that a class is not let in and out all the time.
  gate.endWindow(20)
  gate.endWindow(10)
  expect(letIn(gate)).toEqual(['pay'])
  for (let window = 0; window < 6; window += 1) gate.endWindow(9.9)
  expect(letIn(gate)).toEqual(PRIORITY_CLASSES)
})

test('a stream of a shed class is refused too', () => {
  const gate = createLoadGate()
  fill(gate, 'pay', 64)
  gate.endWindow(30)
  expect(gate.enter({ kind: 'stream', class: 'report' })).toBe(false)
  expect(gate.enter({ kind: 'stream', class: 'browse' })).toBe(true)
})

test('a class is shed only for the sake of a higher one that calls', () => {
  const gate = createLoadGate()
  fill(gate, 'checkout', 100)
  for (let window = 0; window < 6; window += 1) {
    expect(isIn(gate, 'checkout')).toBe(true)
    gate.endWindow(500)
  }
  expect(gate.shedCount()).toBe(3)
})

test('waits with few calls in flight are not theirs, and shed nothing', () => {
  const gate = createLoadGate()
  fill(gate, 'pay', 63)
  for (let window = 0; window < 6; window += 1) gate.endWindow(500)
  expect(letIn(gate)).toEqual(PRIORITY_CLASSES)
})
