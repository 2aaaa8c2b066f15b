import { constants } from 'node:http2'
import { status } from '@grpc/grpc-js'
import { InventoryServiceDefinition, PlaceHoldRequest } from '@holdfast/proto/inventory'
import { newId } from '@holdfast/runtime'
import { expect, test } from 'vitest'
import { createHttp2, createRawClient, frame, startServer } from './rpc-kit.ts'

// What the libraries under this package do and this package cannot refuse. When one of these tests
// fails, the library has changed: then the docs that state the fact change with it.

/** The HTTP status and the gRPC status of a call with another method than POST. */
async function callBy(address: string, method: string): Promise<readonly unknown[]> {
  using http2 = createHttp2(address)
  const stream = http2.session.request({
    [constants.HTTP2_HEADER_METHOD]: method,
    [constants.HTTP2_HEADER_PATH]: `/${InventoryServiceDefinition.fullName}/GetHold`,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const told: Record<string, unknown> = {}
  for (const event of ['response', 'trailers']) {
    stream.on(event, (headers: object) => Object.assign(told, headers))
  }
  stream.on('error', () => undefined)
  stream.resume()
  stream.end(frame(new Uint8Array(0)))
  await new Promise((done) => {
    stream.once('close', done)
  })
  return [told[':status'], Number(told['grpc-status'])]
}

test('grpc-js serves a call by PUT or PATCH as it does one by POST', async () => {
  await using server = await startServer()
  for (const method of ['POST', 'PUT', 'PATCH']) {
    expect([method, await callBy(server.address, method)]).toEqual([
      method,
      [200, status.NOT_FOUND],
    ])
  }
  expect(server.served).toBe(3)
})

test('protobuf cuts an int32 to its lowest 32 bits', async () => {
  await using server = await startServer()
  const seen: unknown[] = []
  server.unary = async (request) => {
    seen.push(...(request as PlaceHoldRequest).lines.map(({ quantity }) => quantity))
    return {}
  }
  const line = (quantity: readonly number[]) => [0x22, 1 + quantity.length, 0x10, ...quantity]
  const about = { requestId: 'cut', holdId: newId('hold'), orderId: newId('order'), lines: [] }
  const bytes = Uint8Array.of(
    ...PlaceHoldRequest.encode(about).finish(),
    // 2^32 + 3, and 2^63 - 1.
    ...line([0x83, 0x80, 0x80, 0x80, 0x10]),
    ...line([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
  )
  using client = createRawClient(server.address)
  await client.call('PlaceHold', bytes)
  expect(seen).toEqual([3, -1])
})
