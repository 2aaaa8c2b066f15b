import { constants } from 'node:http2'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { status } from '@grpc/grpc-js'
import { isHoldfastError, NotFound } from '@holdfast/kernel'
import { InventoryServiceDefinition, PlaceHoldRequest } from '@holdfast/proto/inventory'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { clientOf, createHttp2, failureOf, frame, scope, startServer } from './rpc-kit.ts'

const STREAMS = 10_000
/** Opened and cancelled in one go. */
const WAVE = 200
/** What a server may have kept of all of them, bytes: a leak of 2 KB each is twice as much. */
const KEPT_BYTES_MAX = 10_000_000
/** Longest that anybody else may wait meanwhile, ms; both ends share one busy process here. */
const OTHERS_WAIT_MS = 5_000

const LINES = [{ itemId: newId('stockItem'), quantity: 1 }]
const BODY = frame(
  PlaceHoldRequest.encode({
    requestId: 'reset',
    holdId: newId('hold'),
    orderId: newId('order'),
    lines: LINES,
  }).finish(),
)

/** Opens and cancels a wave over one connection; answers how many the connection took. */
async function resetWave(http2: ReturnType<typeof createHttp2>): Promise<number> {
  const closed: Promise<void>[] = []
  for (let opened = 0; opened < WAVE && !http2.session.destroyed; opened += 1) {
    const stream = http2.session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/${InventoryServiceDefinition.fullName}/PlaceHold`,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.on('error', () => undefined)
    closed.push(
      new Promise((done) => {
        stream.once('close', done)
      }),
    )
    // At once, or as soon as the call is on its way, so that some of its work has begun.
    if (opened % 2 === 0) stream.end(BODY).close(constants.NGHTTP2_CANCEL)
    else stream.end(BODY, () => stream.close(constants.NGHTTP2_CANCEL))
  }
  await Promise.all(closed)
  return closed.length
}

/** Bytes in use once all that nobody holds is gone. */
function keptBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

test('I22: 10,000 streams opened and cancelled leave nothing, and others are served', async () => {
  await using server = await startServer()
  let running = 0
  server.unary = async (_request, call) => {
    if (call.method.endsWith('/GetHold')) throw new NotFound('HOLD_NOT_FOUND', 'There is none.')
    running += 1
    await new Promise((end) => {
      call.signal.addEventListener('abort', end)
    })
    running -= 1
    throw new NotFound('HOLD_NOT_FOUND', 'There is none.')
  }
  await using other = clientOf([server.address])
  const asOther = async (): Promise<string> => {
    const failure = await failureOf(other.getHold({ holdId: newId('hold') }, scope(OTHERS_WAIT_MS)))
    return isHoldfastError(failure) ? failure.reason : String(failure)
  }
  expect(await asOther()).toBe('HOLD_NOT_FOUND')
  const before = keptBytes()
  const answers: string[] = []
  let streams = 0
  let connections = 0
  while (streams < STREAMS) {
    using http2 = createHttp2(server.address)
    connections += 1
    let taken = 1
    while (taken > 0 && streams < STREAMS) {
      const [opened, answer] = await Promise.all([resetWave(http2), asOther()])
      taken = opened
      streams += opened
      answers.push(answer)
    }
    expect(connections).toBeLessThan(STREAMS / WAVE)
  }
  // A connection that resets too much is ended by the server.
  expect(connections).toBeGreaterThan(1)
  expect(new Set(answers)).toEqual(new Set(['HOLD_NOT_FOUND']))
  await eventually(() => running === 0, { withinMs: 10_000 })
  expect(server.served).toBeGreaterThan(WAVE)
  expect(await asOther()).toBe('HOLD_NOT_FOUND')
  await eventually(() => keptBytes() - before < KEPT_BYTES_MAX, { withinMs: 20_000 })
  using http2 = createHttp2(server.address)
  expect(await http2.post('GetHold', frame(new Uint8Array(0)))).toMatchObject({
    code: status.NOT_FOUND,
  })
})
