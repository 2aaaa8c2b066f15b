import { credentials, Client as GrpcClient, type ServiceError, status } from '@grpc/grpc-js'
import {
  AlreadyExists,
  Conflict,
  Forbidden,
  IllegalState,
  InvalidInput,
  type KnownError,
  NotFound,
  OutcomeUnknown,
  Overloaded,
  Unauthenticated,
  Unavailable,
} from '@holdfast/kernel'
import { ErrorInfo, RequestInfo, Status } from '@holdfast/proto/google'
import { InventoryServiceDefinition, type WatchStockResponse } from '@holdfast/proto/inventory'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type ServerUnderTest,
  HEARTBEAT,
  clientOf,
  failureOf,
  scope,
  startServer,
} from './rpc-kit.ts'

let server: ServerUnderTest
let unhandled: unknown[] = []
const noteUnhandled = (reason: unknown): void => void unhandled.push(reason)
// So the library says that something got past the house's own answer.
const noteWarning = (warning: Error): void => {
  if (warning.message.includes('Uncaught error in server')) unhandled.push(warning)
}

beforeAll(async () => {
  server = await startServer()
  process.on('unhandledRejection', noteUnhandled)
  process.on('uncaughtException', noteUnhandled)
  process.on('warning', noteWarning)
})

afterAll(async () => {
  process.off('unhandledRejection', noteUnhandled)
  process.off('uncaughtException', noteUnhandled)
  process.off('warning', noteWarning)
  await server[Symbol.asyncDispose]()
})

beforeEach(() => {
  unhandled = []
})

const DSN = 'postgres://holdfast_app:hunter2@db.internal:5432/holdfast'
const details = { hold_id: 'hld_1', limit: '5' }
const inner = { cause: new Error(DSN) }
const HOLD = 'hld_01h455vb4pex5vsknk084sn02q'
const place = { requestId: 'r-1', holdId: HOLD, orderId: '', lines: [] }

/** One failure of each kind, and the details it has on the wire beside its ErrorInfo. */
const ROWS: readonly (readonly [KnownError, number, readonly string[]])[] = [
  [
    new InvalidInput('m', [{ field: 'lines[0].quantity', description: 'is 0' }]),
    status.INVALID_ARGUMENT,
    ['BadRequest'],
  ],
  [new InvalidInput('m', [], 'KEY_REUSED', inner), status.INVALID_ARGUMENT, []],
  [new Unauthenticated('TOKEN_EXPIRED', 'm', details, inner), status.UNAUTHENTICATED, []],
  [new Forbidden('ROLE_REQUIRED', 'm', details, inner), status.PERMISSION_DENIED, []],
  [new NotFound('HOLD_NOT_FOUND', 'm', details, inner), status.NOT_FOUND, []],
  [new AlreadyExists('ITEM_EXISTS', 'm', details, inner), status.ALREADY_EXISTS, []],
  [new IllegalState('OUT_OF_STOCK', 'm', details, inner), status.FAILED_PRECONDITION, []],
  [new Conflict('VERSION_MISMATCH', 'm', details, inner), status.ABORTED, ['RetryInfo']],
  [new Overloaded('RATE_LIMITED', 'm', details, inner), status.RESOURCE_EXHAUSTED, ['RetryInfo']],
  [new Unavailable('DEPENDENCY_UNAVAILABLE', 'm', {}, inner), status.UNAVAILABLE, ['RetryInfo']],
  [new OutcomeUnknown('m', details, inner), status.UNKNOWN, []],
]

/** Everything that any client can see of a failed call. */
async function seenOf(method: string, bytes = new Uint8Array()): Promise<ServiceError> {
  const client = new GrpcClient(server.address, credentials.createInsecure())
  const same = (value: Uint8Array): Buffer => Buffer.from(value)
  const path = `/${InventoryServiceDefinition.fullName}/${method}`
  const seen = await new Promise<ServiceError | null>((resolve) => {
    client.makeUnaryRequest(path, same, same, bytes, resolve)
  })
  client.close()
  if (seen === null) throw new Error('It was answered.')
  return seen
}

const partsOf = (seen: ServiceError) =>
  Status.decode(seen.metadata.get('grpc-status-details-bin')[0] as Buffer).details

describe('the table of errors over a real wire', () => {
  test.each(ROWS)('%s arrives as what was thrown', async (error, code, more) => {
    server.unary = async () => {
      throw error
    }
    await using inventory = clientOf([server.address])
    const received = await failureOf(inventory.placeHold(place, scope()))
    expect(received).toBeInstanceOf(error.constructor)
    const { kind, reason, message } = error
    expect(received).toMatchObject({ kind, reason, message, details: error.details })
    const seen = await seenOf('GetHold')
    expect(seen.code).toBe(code)
    const types = partsOf(seen).map(({ typeUrl }) => typeUrl.split('.').at(-1))
    expect(types).toEqual(['ErrorInfo', ...more])
    expect(ErrorInfo.decode(partsOf(seen)[0]?.value ?? new Uint8Array())).toMatchObject({
      domain: 'holdfast',
      reason,
    })
    expect(allOf(seen)).not.toMatch(LEAKS)
  })

  test('I23: an unexpected error leaves as a constant text and an incident to report', async () => {
    for (const thrown of [new Error(DSN), new TypeError(DSN), DSN, { message: DSN, dsn: DSN }]) {
      server.unary = () => Promise.reject(anyError(thrown))
      const seen = await seenOf('GetHold')
      expect(seen.code).toBe(status.INTERNAL)
      expect(allOf(seen)).not.toMatch(LEAKS)
      const [info, request] = partsOf(seen)
      const { metadata } = ErrorInfo.decode(info?.value ?? new Uint8Array())
      expect(metadata['incident_id']).toMatch(/^inc_/)
      expect(seen.details).toContain(metadata['incident_id'])
      expect(RequestInfo.decode(request?.value ?? new Uint8Array()).requestId).toBe(
        metadata['incident_id'],
      )
    }
  })

  test('a failure with endless texts still arrives', async () => {
    await using inventory = clientOf([server.address])
    server.unary = async () => {
      throw new NotFound('HOLD_NOT_FOUND', 'm'.repeat(100_000), { what: '😀'.repeat(100_000) })
    }
    const received = await failureOf(inventory.placeHold(place, scope()))
    expect(received).toMatchObject({ kind: 'not-found', reason: 'HOLD_NOT_FOUND' })
  })
})

const LEAKS = /hunter2|postgres:|db\.internal|holdfast_app| at /

/** Everything of a failed call as one text, with what is encoded in it. */
const allOf = (seen: ServiceError): string =>
  [
    seen.message,
    seen.details,
    JSON.stringify(seen.metadata.getMap()),
    ...seen.metadata.get('grpc-status-details-bin').map((part) => part.toString('latin1')),
  ].join('\n')

/** For what JavaScript lets a handler throw, though it is no error. */
const anyError = (thrown: unknown): Error => thrown as Error

const bare = Object.create(null) as object

/** Ways in which a handler of one answer can go wrong. */
const UNARY: readonly (readonly [string, () => Promise<unknown>])[] = [
  [
    'throws before its first await',
    () => {
      throw new Error(DSN)
    },
  ],
  ['rejects', () => Promise.reject(new Error(DSN))],
  ...[undefined, null, 5, 'text', Symbol('s'), bare, () => DSN, [], { toString: null }].map(
    (thrown) => ['rejects with what is no error', () => Promise.reject(anyError(thrown))] as const,
  ),
]

async function* failing(beats: number, thrown: unknown): AsyncGenerator<WatchStockResponse> {
  for (let beat = 0; beat < beats; beat += 1) yield HEARTBEAT
  throw thrown
}

/** Ways in which a stream can go wrong, and how many messages come before. */
const STREAMS: readonly (readonly [string, number, () => AsyncIterable<WatchStockResponse>])[] = [
  [
    'throws when it is asked for',
    0,
    () => {
      throw new Error(DSN)
    },
  ],
  ['throws before its first message', 0, () => failing(0, new Error(DSN))],
  ['throws in the middle', 3, () => failing(3, new Error(DSN))],
  ['throws what is no error', 2, () => failing(2, bare)],
  ['is no stream at all', 0, () => ({ beats: 5 }) as never],
]

describe('handlers that go wrong', () => {
  test.each(UNARY)('one that %s answers once, and the process lives', async (_, handler) => {
    server.unary = handler
    const before = server.served
    const seen = await seenOf('GetHold')
    expect([seen.code, seen.details.includes('inc_')]).toEqual([status.INTERNAL, true])
    expect(server.served).toBe(before + 1)
    await expectNothingUnhandled()
  })

  test.each(STREAMS)('a stream that %s ends once, after %d messages', async (_, beats, one) => {
    await using inventory = clientOf([server.address])
    server.stream = one
    let received = 0
    const read = async (): Promise<void> => {
      const request = { sellerId: '', itemIds: [], cursor: '' }
      for await (const _message of inventory.watchStock(request, scope())) received += 1
    }
    expect(await failureOf(read())).toMatchObject({ kind: 'unavailable' })
    expect(received).toBe(beats)
    await expectNothingUnhandled()
  })

  test('a handler that fails after its call was answered for disturbs nobody', async () => {
    await using inventory = clientOf([server.address])
    const { promise, reject } = Promise.withResolvers<never>()
    server.unary = () => promise
    expect(await failureOf(inventory.placeHold(place, scope(300)))).toBeInstanceOf(OutcomeUnknown)
    reject(new Error(DSN))
    await expectNothingUnhandled()
  })
})

async function expectNothingUnhandled(): Promise<void> {
  server.unary = async () => ({ hold: undefined })
  await using inventory = clientOf([server.address])
  await eventually(async () => inventory.getHold({ holdId: '' }, scope()), { withinMs: 5_000 })
  expect(unhandled).toEqual([])
}
