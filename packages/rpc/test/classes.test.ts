import { Metadata, status } from '@grpc/grpc-js'
import { Overloaded } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ANONYMOUS, type CallContext, IN_FLIGHT_MAX, type PriorityClass } from '../src/index.ts'
import {
  type ServerUnderTest,
  clientOf,
  createRawClient,
  failureOf,
  scope,
  startServer,
} from './rpc-kit.ts'

let server: ServerUnderTest

/** Which call stands for which class. */
const CLASSES = {
  confirmHold: 'pay',
  getHold: 'checkout',
  setStock: 'cart-write',
  getAvailability: 'browse',
  restockHold: 'report',
} as const satisfies Record<string, PriorityClass>

const ASK = { sellerId: '', itemIds: [] }
/** Complete for every call of CLASSES. */
const ANSWER = { hold: undefined, items: [], missingItemIds: [], asOfTime: undefined }
const BROWSE_PLACES = 160
const LONG_MS = 29_000

beforeEach(async () => {
  server = await startServer({ classes: CLASSES })
})

afterEach(async () => server[Symbol.asyncDispose]())

/** Calls that stay until told to go, counted by class. */
function holdCalls(): {
  readonly begun: Record<string, number>
  readonly letGo: () => void
} {
  const gate = Promise.withResolvers<void>()
  const begun: Record<string, number> = {}
  server.unary = async (_request: unknown, call: CallContext) => {
    const name = call.class ?? 'none'
    begun[name] = (begun[name] ?? 0) + 1
    await gate.promise
    return ANSWER
  }
  return { begun, letGo: gate.resolve }
}

type Caller = ReturnType<typeof clientOf>
const CALL: Readonly<Record<'pay' | 'browse' | 'report', (to: Caller) => Promise<unknown>>> = {
  pay: (to) => failureOf(to.confirmHold({} as never, scope(LONG_MS))),
  browse: (to) => failureOf(to.getAvailability(ASK, scope(LONG_MS))),
  report: (to) => failureOf(to.restockHold({ lines: [] } as never, scope(LONG_MS))),
}

const isRefused = (outcome: unknown): boolean => outcome instanceof Overloaded

test('I22: under three times the load of browsers every payment still passes', async () => {
  await using inventory = clientOf([server.address], { timeoutMs: LONG_MS })
  const { begun, letGo } = holdCalls()
  let refused = 0
  const browsers = Array.from({ length: IN_FLIGHT_MAX * 3 }, async () => {
    const outcome = await CALL.browse(inventory)
    if (isRefused(outcome)) refused += 1
    return outcome
  })
  await eventually(() => (begun['browse'] ?? 0) + refused === IN_FLIGHT_MAX * 3, {
    withinMs: 20_000,
  })
  expect([begun['browse'], refused]).toEqual([BROWSE_PLACES, IN_FLIGHT_MAX * 3 - BROWSE_PLACES])
  const payments = Array.from({ length: IN_FLIGHT_MAX - BROWSE_PLACES }, () => CALL.pay(inventory))
  await eventually(() => begun['pay'] === IN_FLIGHT_MAX - BROWSE_PLACES, { withinMs: 20_000 })
  const refusal = await CALL.report(inventory)
  expect(refusal).toMatchObject({ reason: 'OVERLOADED', retryAfterMs: 1_000 })
  letGo()
  expect((await Promise.all(payments)).filter(isRefused)).toEqual([])
  const passed = (await Promise.all(browsers)).filter((outcome) => !isRefused(outcome))
  expect(passed).toHaveLength(BROWSE_PLACES)
  await eventually(async () => !isRefused(await CALL.report(inventory)), { withinMs: 20_000 })
})

test('a service hands its class on, and nobody else can', async () => {
  const service = { kind: 'service', service: 'checkout' } as const
  server.callerOf = (authorization) => (authorization === 'Bearer service' ? service : ANONYMOUS)
  const { begun, letGo } = holdCalls()
  await using inventory = clientOf([server.address], { timeoutMs: LONG_MS })
  const browsers = Array.from({ length: BROWSE_PLACES }, () => CALL.browse(inventory))
  await eventually(() => begun['browse'] === BROWSE_PLACES, { withinMs: 20_000 })
  await using peer = clientOf([server.address], {
    timeoutMs: LONG_MS,
    tokens: { tokenFor: async () => 'service' },
  })
  expect(await failureOf(peer.getAvailability(ASK, scope()))).toBeInstanceOf(Overloaded)
  const handedOn = failureOf(peer.getAvailability(ASK, { ...scope(LONG_MS), class: 'pay' }))
  await eventually(() => begun['pay'] === 1, { withinMs: 5_000 })

  using raw = createRawClient(server.address)
  for (const authorization of [undefined, 'Bearer buyer']) {
    const forged = new Metadata()
    forged.set('holdfast-class', 'pay')
    if (authorization !== undefined) forged.set('authorization', authorization)
    expect(await raw.call('GetAvailability', new Uint8Array(), forged)).toEqual({
      code: status.RESOURCE_EXHAUSTED,
      reason: 'OVERLOADED',
    })
  }
  letGo()
  expect(await handedOn).toContain('no failure')
  await Promise.all(browsers)
})

test('what a caller is handed goes on with the calls made for it', async () => {
  const other = await startServer()
  server.caller = { kind: 'service', service: 'checkout' }
  other.caller = { kind: 'service', service: 'inventory' }
  const tokens = { tokenFor: async () => 'service' }
  await using onward = clientOf([other.address], { tokens })
  await using inventory = clientOf([server.address], { tokens })
  const seen: unknown[] = []
  other.unary = async (_request: unknown, call: CallContext) => {
    seen.push(call.class)
    return ANSWER
  }
  server.unary = (_request: unknown, call: CallContext) => {
    seen.push(call.class)
    return onward.getAvailability(ASK, call)
  }
  await inventory.getAvailability(ASK, scope())
  await inventory.getAvailability(ASK, { ...scope(), class: 'report' })
  expect(seen).toEqual(['browse', 'browse', 'report', 'report'])
  await other[Symbol.asyncDispose]()
})

test('I22: while work waits long, the lowest classes are refused for a while', async () => {
  await using inventory = clientOf([server.address], { timeoutMs: LONG_MS })
  const { begun, letGo } = holdCalls()
  const payments = Array.from({ length: 64 }, () => CALL.pay(inventory))
  await eventually(() => begun['pay'] === 64, { withinMs: 20_000 })
  const busy = { ends: false }
  const burn = (): void => {
    const untilMs = systemClock.monotonicMs() + 60
    while (systemClock.monotonicMs() < untilMs);
    if (!busy.ends) setImmediate(burn)
  }
  setImmediate(burn)
  await eventually(async () => isRefused(await refusedOrLeft(inventory)), { withinMs: 20_000 })
  const paid = CALL.pay(inventory)
  await eventually(() => (begun['pay'] ?? 0) > 64, { withinMs: 20_000 })
  busy.ends = true
  letGo()
  for (const outcome of await Promise.all([...payments, paid])) {
    expect(outcome).toContain('no failure')
  }
  await eventually(async () => !isRefused(await CALL.report(inventory)), { withinMs: 20_000 })
})

/** A report that is given up soon when it was let in, since calls are held here. */
function refusedOrLeft(inventory: Caller): Promise<unknown> {
  return failureOf(inventory.restockHold({ lines: [] } as never, scope(1_000)))
}
