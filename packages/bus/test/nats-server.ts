import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { createServer, connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@holdfast/kernel'

export const clock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted === true) return resolve()
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal?.addEventListener('abort', done, { once: true })
    }),
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

export async function startNats(options: { port?: number; dir?: string } = {}) {
  const port = options.port ?? (await freePort())
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'holdfast-nats-'))
  const child: ChildProcess = spawn(
    '/tmp/gobin/nats-server',
    ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', dir],
    { stdio: 'ignore' },
  )
  await eventually(
    () =>
      new Promise<void>((resolve, reject) => {
        const s = dial(port, '127.0.0.1', () => {
          s.destroy()
          resolve()
        })
        s.on('error', reject)
      }),
    { withinMs: 10_000 },
  )
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  return {
    port,
    dir,
    url: `nats://127.0.0.1:${port}`,
    pid: child.pid!,
    kill: async (signal: NodeJS.Signals = 'SIGKILL') => {
      child.kill(signal)
      await exited
    },
    signal: (s: NodeJS.Signals) => child.kill(s),
  }
}

export async function eventually<T>(
  check: () => T | Promise<T>,
  options: { withinMs: number },
): Promise<T> {
  const until = performance.now() + options.withinMs
  for (;;) {
    try {
      return await check()
    } catch (e) {
      if (performance.now() > until) throw e
    }
    await clock.sleep(20)
  }
}
