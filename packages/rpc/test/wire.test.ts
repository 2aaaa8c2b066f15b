import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { Metadata, status } from '@grpc/grpc-js'
import { idFromUuid } from '@holdfast/kernel'
import { HealthCheckRequest, HealthCheckResponse } from '@holdfast/proto/health'
import { GetHoldResponse, PlaceHoldRequest, SetStockRequest } from '@holdfast/proto/inventory'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type CallContext } from '../src/index.ts'
import {
  type ServerUnderTest,
  createHttp2,
  createRawClient,
  frame,
  startServer,
} from './rpc-kit.ts'

let server: ServerUnderTest
let raw: ReturnType<typeof createRawClient>
let http2: ReturnType<typeof createHttp2>

beforeAll(async () => {
  server = await startServer({
    row: { requestBytesMax: 4_096, secretFields: ['orderId', 'lines', 'onHand'] },
  })
  server.unary = async () => ({ hold: undefined })
  raw = createRawClient(server.address)
  http2 = createHttp2(server.address)
})

afterAll(async () => {
  raw[Symbol.dispose]()
  http2[Symbol.dispose]()
  await server[Symbol.asyncDispose]()
})

// Whatever was sent: the process lives, answers others, and holds nothing of it.
afterEach(async () => {
  server.unary = async () => ({ hold: undefined })
  const { reason } = await raw.call('GetHold', new Uint8Array())
  if (reason !== 'answered') throw new Error(`The server answered nobody any more: ${reason}`)
})

const HOLD = idFromUuid('hold', '01890000-0000-7000-8000-000000000001')
const good = PlaceHoldRequest.encode({
  requestId: 'r-1',
  holdId: HOLD,
  orderId: 'ord_secret',
  lines: [{ itemId: 'sti_1', quantity: 1 }],
}).finish()

/** Bytes that are no message of this type, each with what is wrong. */
const MALFORMED: readonly (readonly [string, Uint8Array])[] = [
  ['a cut message', good.slice(0, -3)],
  ['a zero tag and more behind it', Buffer.concat([new Uint8Array([0]), good])],
  ['a zero tag in the middle', Buffer.concat([good, new Uint8Array([0, 1, 2])])],
  ['a length past the end', new Uint8Array([0x0a, 0x7f, 0x41])],
  ['a varint without an end', new Uint8Array([0x0a, ...Array.from({ length: 12 }, () => 0xff)])],
  ['a group without an end', new Uint8Array([0x0b])],
  ['an end without a group', new Uint8Array([0x0c])],
  ['invalid UTF-8', new Uint8Array([0x0a, 0x02, 0xc3, 0x28])],
  ['an overlong encoding', new Uint8Array([0x0a, 0x02, 0xc0, 0x80])],
  ['half a surrogate pair', new Uint8Array([0x0a, 0x03, 0xed, 0xa0, 0x80])],
]

test.each(MALFORMED)('%s is an invalid argument with details', async (_, bytes) => {
  const before = server.served
  expect(await raw.call('PlaceHold', bytes)).toEqual({
    code: status.INVALID_ARGUMENT,
    reason: 'MALFORMED_MESSAGE',
  })
  expect(server.served).toBe(before)
})

test('random bytes never are a bug', async () => {
  for (let round = 0; round < 100; round += 1) {
    const { code } = await raw.call('PlaceHold', randomBytes(1 + (round % 60)))
    expect(code).toBe(status.INVALID_ARGUMENT)
  }
})

test('a message over its cap is refused with details, a huge one too', async () => {
  const over = PlaceHoldRequest.encode({
    requestId: 'r'.repeat(4_096),
    holdId: '',
    orderId: '',
    lines: [],
  })
  expect(await raw.call('PlaceHold', over.finish())).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    reason: 'MESSAGE_TOO_LARGE',
  })
  expect(await raw.call('PlaceHold', new Uint8Array(5_000_000))).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    reason: 'MESSAGE_TOO_LARGE',
  })
})

test('a gzip bomb, a broken one and an unknown encoding are refused with details', async () => {
  const bomb = gzipSync(Buffer.alloc(100_000_000))
  const overCap = gzipSync(Buffer.alloc(5_000))
  const outcomes = []
  const before = server.served
  for (const [body, encoding] of [
    [frame(bomb, 1), 'gzip'],
    [frame(overCap, 1), 'gzip'],
    [frame(randomBytes(40), 1), 'gzip'],
    [frame(gzipSync(good).subarray(0, -12), 1), 'gzip'],
    [frame(gzipSync(good), 1), 'deflate'],
    [frame(gzipSync(good), 1), 'identity'],
    [frame(good, 1), 'br'],
  ] as const) {
    outcomes.push(await http2.post('PlaceHold', body, { 'grpc-encoding': encoding }))
  }
  const large = { code: status.RESOURCE_EXHAUSTED, reason: 'MESSAGE_TOO_LARGE' }
  const broken = { code: status.INVALID_ARGUMENT, reason: 'MALFORMED_MESSAGE' }
  // UNIMPLEMENTED is what gRPC itself wants for an encoding that a server does not know.
  const foreign = { code: status.UNIMPLEMENTED, reason: 'MALFORMED_MESSAGE' }
  expect(outcomes).toEqual([large, large, broken, broken, broken, broken, foreign])
  expect(server.served).toBe(before)
  const zipped = await http2.post('PlaceHold', frame(gzipSync(good), 1), {
    'grpc-encoding': 'gzip',
  })
  expect(zipped.reason).toBe('answered')
})

test('no message, two messages, a lying length and a foreign path are refused', async () => {
  const lying = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])
  const miscounted = { code: status.UNIMPLEMENTED, reason: 'MALFORMED_MESSAGE' }
  expect(await http2.post('GetHold', new Uint8Array())).toEqual(miscounted)
  const twice = Buffer.concat([frame(good), frame(good)])
  expect(await http2.post('GetHold', twice)).toEqual(miscounted)
  expect(await http2.post('GetHold', lying)).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    reason: 'MESSAGE_TOO_LARGE',
  })
  expect((await raw.call('NoSuchMethod', new Uint8Array())).code).toBe(status.UNIMPLEMENTED)
})

test.each(['0m', '0n', '99999999H', '99999999S', '-5m', ' 5S', '123456789S'])(
  'I21: a deadline of %j neither hangs nor breaks anything',
  async (timeout) => {
    const { code } = await http2.post('GetHold', frame(new Uint8Array()), {
      'grpc-timeout': timeout,
    })
    expect([status.OK, status.DEADLINE_EXCEEDED, status.UNAVAILABLE]).toContain(code)
  },
)

test.each(['x', '1', '5h', '5', 'S'])(
  'I21: a deadline of %j is an invalid argument',
  async (timeout) => {
    const headers = { 'grpc-timeout': timeout }
    expect(await http2.post('GetHold', frame(new Uint8Array()), headers)).toEqual({
      code: status.INVALID_ARGUMENT,
      reason: 'INVALID_FIELD',
    })
  },
)

test('I6: the hash is of the content: not of unknown fields, their order, or secrets', async () => {
  const hashes: string[] = []
  server.unary = async (_request: unknown, call: CallContext) => {
    hashes.push(Buffer.from(call.requestKey('r-1').requestHash).toString('hex'))
    return GetHoldResponse.decode(new Uint8Array())
  }
  const message = PlaceHoldRequest.decode(good)
  const encode = (changed: Partial<PlaceHoldRequest>) =>
    PlaceHoldRequest.encode({ ...message, ...changed }).finish()
  const fields = [encode({ requestId: '', orderId: '', lines: [] }), encode({ holdId: '' })]
  const unknown = new Uint8Array([0xfa, 0x01, 0x01, 0x41])
  const same = [
    good,
    Buffer.concat(fields),
    Buffer.concat([good, unknown]),
    encode({ orderId: 'ord_other' }),
    encode({ lines: [] }),
  ]
  for (const bytes of [...same, encode({ requestId: 'r-2' })]) await raw.call('PlaceHold', bytes)
  expect(new Set(hashes.slice(0, same.length)).size).toBe(1)
  expect(new Set(hashes).size).toBe(2)
  expect(hashes[0]).toHaveLength(64)
})

test('a secret number is left out of the hash as a secret text is', async () => {
  const hashes: Uint8Array[] = []
  server.unary = async (_request: unknown, call: CallContext) => {
    hashes.push(call.requestKey('r-1').requestHash)
    return { item: undefined }
  }
  for (const onHand of [1, 2]) {
    const fields = { requestId: 'r-1', sellerId: '', itemId: '', onHand, expectedVersion: 1n }
    await raw.call('SetStock', SetStockRequest.encode(fields).finish())
  }
  expect(hashes).toHaveLength(2)
  expect(hashes[1]).toEqual(hashes[0])
})

test('I25: health says what readiness says, of the service and the process', async () => {
  const path = '/grpc.health.v1.Health/Check'
  const ask = async (service: string) =>
    (await raw.call(path, HealthCheckRequest.encode({ service }).finish())).code
  expect(await ask('')).toBe(status.OK)
  expect(await ask('holdfast.inventory.v1.InventoryService')).toBe(status.OK)
  expect(await ask('holdfast.cart.v1.CartService')).toBe(status.NOT_FOUND)
  const body = frame(HealthCheckRequest.encode({ service: '' }).finish())
  const statusNow = async (): Promise<number> => {
    const stream = http2.session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.end(body)
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    return HealthCheckResponse.decode(Buffer.concat(chunks).subarray(5)).status
  }
  expect(await statusNow()).toBe(1)
  server.isReady = false
  expect(await statusNow()).toBe(2)
  server.isReady = true
})

test('reflection names the service and its health to any tool', async () => {
  // ServerReflectionRequest { list_services: "" } of grpc.reflection.v1.
  const stream = http2.session.request({
    ':method': 'POST',
    ':path': '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.end(frame(new Uint8Array([0x3a, 0x00])))
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('latin1')
  expect(text).toContain('holdfast.inventory.v1.InventoryService')
  expect(text).toContain('grpc.health.v1.Health')
})

test('a handler that answers with nonsense breaks its own call alone', async () => {
  const outcomes = []
  for (const answer of [undefined, null, 'text', { hold: { version: 'x' } }, { hold: 5 }]) {
    server.unary = async () => answer
    outcomes.push(await raw.call('GetHold', new Uint8Array(), new Metadata()))
  }
  const bug = { code: status.INTERNAL, reason: 'INTERNAL_ERROR' }
  const answered = { code: status.OK, reason: 'answered' }
  expect(outcomes).toEqual([bug, bug, answered, bug, bug])
})
