import { readFile } from 'node:fs/promises'
import { IllegalState, InvalidInput, NotFound, OutcomeUnknown } from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import {
  ANONYMOUS,
  type CallContext,
  type RpcServer,
  createRpcClient,
  requestIdField,
  scopeFor,
  startRpcServer,
} from '../src/index.ts'

let seen: CallContext | undefined
let answer: () => Promise<never> = async () => {
  throw new NotFound('CART_NOT_FOUND', 'There is no such cart.')
}
let server: RpcServer

const open = { allow: ['anonymous'], class: 'browse' } as const
const anything = z.any()

beforeAll(async () => {
  const refuse = async (_request: unknown, call: CallContext): Promise<never> => {
    seen = call
    return answer()
  }
  const names = Object.keys(CartServiceDefinition.methods)
  const every = (value: unknown) => Object.fromEntries(names.map((name) => [name, value])) as never
  server = await startRpcServer({
    host: '127.0.0.1',
    port: 0,
    definition: CartServiceDefinition,
    schemas: {
      ...(every(anything) as object),
      addLine: z.looseObject({ requestId: requestIdField }),
    } as never,
    access: every(open),
    handlers: every(refuse),
    authenticator: { authenticate: async () => ANONYMOUS },
    secret: new Uint8Array(32),
    isReady: () => true,
    descriptors: await readFile(DESCRIPTOR_SET_PATH),
    clock: systemClock,
    log: SILENT_LOGGER,
  })
})

afterAll(async () => server[Symbol.asyncDispose]())

function client(timeoutMs = 5_000) {
  return createRpcClient({
    definition: CartServiceDefinition,
    to: 'cart',
    addresses: [server.address],
    retries: 'unavailable',
    breaker: 'on',
    timeoutMs,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
}

const scope = () => scopeFor({ timeoutMs: 5_000, clock: systemClock })

test('a failure arrives as the class it was thrown as, with reason and details', async () => {
  await using cart = client()
  answer = async () => {
    throw new IllegalState('CART_CLAIMED', 'An order has this cart.', { order_id: 'ord_1' })
  }
  const failure = await cart.getCart({} as never, scope()).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(IllegalState)
  expect(failure).toMatchObject({ reason: 'CART_CLAIMED', details: { order_id: 'ord_1' } })
})

test('a bug becomes a constant text with an incident id, never its own text', async () => {
  await using cart = client()
  answer = async () => {
    throw new Error('password=hunter2')
  }
  const failure = await cart.addLine({ requestId: 'x' } as never, scope()).catch((e: unknown) => e)
  expect(failure).toBeInstanceOf(OutcomeUnknown)
  expect(JSON.stringify(failure)).not.toContain('hunter2')
  expect((failure as OutcomeUnknown).details['incident_id']).toMatch(/^inc_/)
})

test('a bad field is named as the caller wrote it', async () => {
  await using cart = client()
  const failure = await cart
    .addLine({ requestId: 'has space' } as never, scope())
    .catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(InvalidInput)
  expect(failure).toMatchObject({ violations: [{ field: 'request_id' }] })
})

test('I21: the deadline shrinks from hop to hop and ends the call on time', async () => {
  await using cart = client(300)
  answer = () => new Promise(() => undefined)
  const startedAtMs = systemClock.monotonicMs()
  await cart.getCart({} as never, scope()).catch(() => undefined)
  const tookMs = systemClock.monotonicMs() - startedAtMs
  expect(tookMs).toBeLessThan(550)
  expect((seen?.deadlineAtMs ?? 0) - startedAtMs).toBeLessThan(500)
})
