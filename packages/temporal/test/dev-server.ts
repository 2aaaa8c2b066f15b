/** A Temporal dev server of this test file alone: own port, own memory, ended with the file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { SEARCH_ATTRIBUTES } from '@holdfast/workflows/contract'
import { Connection } from '@temporalio/client'

export interface DevServer extends AsyncDisposable {
  readonly address: string
  readonly pid: number
}

const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=1000',
  'history.timerProcessorMaxPollRPS=1000',
  'history.visibilityProcessorMaxPollRPS=1000',
  'history.timerProcessorMaxTimeShift="50ms"',
]

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export async function startDevServer(
  options: { readonly port?: number; readonly databaseFile?: string } = {},
): Promise<DevServer> {
  const port = options.port ?? (await freePort())
  const args = ['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', String(port)]
  if (options.databaseFile !== undefined) args.push('--db-filename', options.databaseFile)
  for (const pragma of ['journal_mode=wal', 'synchronous=normal']) {
    args.push('--sqlite-pragma', pragma)
  }
  for (const value of DYNAMIC_CONFIG) args.push('--dynamic-config-value', value)
  for (const [name, kind] of Object.entries(SEARCH_ATTRIBUTES)) {
    args.push('--search-attribute', `${name}=${kind}`)
  }
  const child = spawn('temporal', args, { stdio: 'ignore' })
  const address = `127.0.0.1:${port}`
  await whenServing(child, address)
  return {
    address,
    pid: child.pid ?? 0,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function whenServing(child: ChildProcess, address: string): Promise<void> {
  const lost = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`temporal ended with ${code}`)))
  })
  lost.catch(() => undefined)
  const deadline = performance.now() + 60_000
  for (;;) {
    try {
      const connecting = Connection.connect({ address, connectTimeout: 500 })
      const connection = await Promise.race([connecting, lost])
      await connection.workflowService.describeNamespace({ namespace: 'default' })
      await connection.close()
      return
    } catch (error) {
      if (child.exitCode !== null || performance.now() > deadline) throw error
      await setTimeout(50)
    }
  }
}
