import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { callRows } from './call-rows.ts'
import { CODE, type Row, wants } from './row.ts'
import { sendRows } from './send-rows.ts'
import type { Target } from './target.ts'
import type { Answer, RawCall } from './wire.ts'
import type { Change } from './witness.ts'

const CART = randomUUID()

const REFUSED: Answer = {
  code: CODE.invalidArgument,
  reason: 'INVALID_FIELD',
  text: 'is not valid',
  violations: ['title'],
  messages: [],
}

interface Fake {
  /** What one call does, by how many came before it. */
  readonly effect?: (calls: number) => readonly Change[]
  readonly answer?: (call: RawCall, calls: number) => Answer
}

/** A server of a few lines, and how many calls it had. */
function fakeTarget({ effect = () => [], answer = () => REFUSED }: Fake): Target {
  const waiting: Change[] = []
  let calls = 0
  const call = async (raw: RawCall): Promise<Answer> => {
    waiting.push(...effect(calls))
    calls += 1
    return answer(raw, calls)
  }
  return {
    service: 'cart',
    raw: { call, [Symbol.dispose]: () => undefined },
    tokenFor: async (caller) => caller,
    changes: async () => waiting.splice(0),
  }
}

const row = (name: string): Row => ({
  class: 'text',
  name,
  call: { messages: [new Uint8Array(0)] },
  check: wants([CODE.invalidArgument], ['INVALID_FIELD']),
})

async function problemsOf(fake: Fake, rows = [row('one'), row('two')]): Promise<string[]> {
  const named = new Set([CART])
  const about = { path: '/cart/AddLine', rows, isStream: false, named }
  const results = await sendRows(fakeTarget(fake), about)
  return results.flatMap(({ problem }) => problem ?? [])
}

const change = (of: Partial<Change>): Change => ({
  table: 'cart_line',
  by: 'cart',
  isNew: false,
  names: new Set(),
  ...of,
})

test('rows that are refused without an effect pass', async () => {
  expect(await problemsOf({})).toEqual([])
})

test('I6: an effect that happens once, and never again, counts', async () => {
  const once = (of: Partial<Change>) => (calls: number) => (calls === 0 ? [change(of)] : [])
  for (const of of [{}, { table: 'outbox_message' }]) {
    const [problem] = await problemsOf({ effect: once(of) })
    expect(problem).toBe(`the rows changed ${change(of).table}`)
  }
})

test('what a loop does counts for what the call names, and for nothing else', async () => {
  const loop = (names: string) => () => [change({ by: 'cart-jobs', names: new Set([names]) })]
  expect(await problemsOf({ effect: loop(CART) })).toHaveLength(1)
  expect(await problemsOf({ effect: loop(randomUUID()) })).toEqual([])
})

test('an answer that tells the inside, has another reason, or none, is a problem', async () => {
  const answers: readonly Answer[] = [
    { ...REFUSED, text: 'duplicate key value' },
    { ...REFUSED, reason: 'CART_NOT_FOUND' },
    { ...REFUSED, code: CODE.internal },
    { ...REFUSED, code: undefined },
    { ...REFUSED, code: CODE.ok, reason: '' },
  ]
  for (const answer of answers) {
    expect(await problemsOf({ answer: () => answer }, [row('one')])).toHaveLength(1)
  }
})

test('a refusal of the moment is asked again, and at last is a problem', async () => {
  const busy: Answer = { ...REFUSED, code: CODE.resourceExhausted, reason: 'OVERLOADED' }
  const rows = [row('one')]
  const isOver = (_call: RawCall, calls: number) => (calls < 3 ? busy : REFUSED)
  expect(await problemsOf({ answer: isOver }, rows)).toEqual([])
  expect(await problemsOf({ answer: () => busy }, rows)).toHaveLength(1)
})

test('I17: a forged caller who is let in is noticed, and so is one refused by luck', () => {
  const about = { path: '/x', valid: Uint8Array.of(10, 1, 65), bearer: 'own' }
  const find = (isOpen: boolean) => {
    const rows = callRows({ ...about, requestBytesMax: undefined, isOpen })
    const found = rows.find(({ name }) => name === 'a forged caller')
    expect(found?.call.bearer).toBeUndefined()
    return found
  }
  const missing = { ...REFUSED, code: CODE.unauthenticated, reason: 'TOKEN_MISSING' }
  const closed = find(false)
  expect(closed?.check(missing)).toBeUndefined()
  expect(closed?.check(REFUSED)).toContain('wanted status 16 TOKEN_MISSING')
  expect(closed?.check({ ...missing, code: CODE.ok })).toContain('wanted status 16')
  expect(find(true)?.check(REFUSED)).toBeUndefined()
  expect(find(true)?.check({ ...REFUSED, code: CODE.permissionDenied })).toContain(
    'wanted status 3',
  )
})
