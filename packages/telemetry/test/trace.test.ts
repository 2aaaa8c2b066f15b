import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'

/** Runs the process against a collector and answers its exit code and its metrics. */
async function trace(collector: RequestListener | 'away') {
  const server = createServer(collector === 'away' ? () => undefined : collector)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  if (collector === 'away') server.close()
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const args = ['--import', '@holdfast/telemetry/register', 'trace-process.ts']
  const child = spawn(process.execPath, args, {
    cwd: join(import.meta.dirname),
    env: {
      ...process.env,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
    },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let told = ''
  child.stdout.on('data', (chunk: Buffer) => {
    told += chunk.toString('utf8')
  })
  const [code] = (await once(child, 'close')) as [number]
  const count = (outcome: string): number => {
    const line = new RegExp(
      `^holdfast_trace_spans_total\\{.*outcome="${outcome}".*\\} (\\d+)$`,
      'm',
    )
    return Number(line.exec(told)?.[1] ?? 0)
  }
  return { code, ended: count('ended'), sent: count('sent'), lost: count('lost') }
}

test('what a collector takes is counted as sent', async () => {
  const told = await trace((request, response) => {
    request.resume().on('end', () => response.end())
  })
  expect(told).toMatchObject({ code: 0, ended: 10_000, lost: 0 })
  expect(told.sent).toBeGreaterThan(0)
})

test.each([['is away', 'away'] as const, ['hangs', () => undefined] as const])(
  'a collector that %s costs spans, and no more are kept than the queue holds',
  async (_, how) => {
    const told = await trace(how)
    expect(told).toMatchObject({ code: 0, ended: 10_000, sent: 0 })
    expect(told.lost).toBeGreaterThan(0)
    // The queue and one batch under way.
    expect(told.lost).toBeLessThanOrEqual(2_048 + 512)
  },
)
