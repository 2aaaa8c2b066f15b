import { spawn } from 'node:child_process'
import { connect as dial, createServer } from 'node:net'
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
export async function startRedis(options: { port?: number } = {}) {
  const port = options.port ?? (await freePort())
  const child = spawn(
    'redis-server',
    [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--dir',
      '/tmp',
    ],
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
    url: `redis://127.0.0.1:${port}`,
    kill: async () => {
      child.kill('SIGKILL')
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
