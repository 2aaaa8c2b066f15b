import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { backing } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'

/** Trace id, span id and name of a span in OTLP's protobuf, read by its first and fifth field. */
const SPAN = /\x0a\x10([^]{16})\x12\x08[^]{8}(?:\x22\x08[^]{8})?\x2a([^])/g

/** A collector that keeps what it is sent, one text per request. */
async function startCollector(): Promise<{ readonly server: Server; readonly bodies: string[] }> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const whole = Buffer.concat(chunks)
      const isZipped = request.headers['content-encoding'] === 'gzip'
      bodies.push((isZipped ? gunzipSync(whole) : whole).toString('latin1'))
      response.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, bodies }
}

/** Names of the spans by their trace. */
function spansByTrace(bodies: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const found = bodies.flatMap((body) =>
    Array.from(body.matchAll(SPAN), (match) => {
      const [whole, trace = '', length = ''] = match
      const start = match.index + whole.length
      return { trace, name: body.slice(start, start + length.charCodeAt(0)) }
    }),
  )
  const traces = Map.groupBy(found, ({ trace }) => trace)
  return new Map([...traces].map(([trace, spans]) => [trace, spans.map(({ name }) => name)]))
}

test('a purchase is one trace: start, run, each step', async () => {
  const { server, bodies } = await startCollector()
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const script = path.join(import.meta.dirname, 'traced-process.ts')
  const preload = ['--import', '@holdfast/telemetry/register']
  const args = [...preload, script, backing().temporalAddress, `traced-${randomUUID()}`]
  const child = spawn(process.execPath, args, {
    cwd: path.join(import.meta.dirname, '..'),
    stdio: 'ignore',
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` },
  })
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).toBe(0)
  const traces = [...spansByTrace(bodies).values()]
  const purchase = traces.find((names) => names.includes('test.purchase'))
  expect(purchase).toEqual(
    expect.arrayContaining([
      'StartWorkflow:checkout',
      'RunWorkflow:checkout',
      'RunActivity:prepare',
      'StartActivity:pay',
      'RunActivity:pay',
      'RunActivity:finish',
    ]),
  )
})
