import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { eventually } from './eventually.ts'

/** A whole marketplace as child processes, started as `npm start` starts it. */
export interface MarketplaceProcess {
  /** Holds `endpoints.json`, the secrets and the logs while it runs. */
  readonly dataFolder: string
  /** Ends everything and removes the data. Idempotent. */
  stop(): Promise<void>
}

/** Some fifteen processes start at once, each with a fraction of two cores, ms. */
const START_WITHIN_MS = 180_000

const LAUNCHER = resolve(import.meta.dirname, '../../../deploy/dev/src/main-start.ts')

/**
 * Starts a marketplace without sellers and a purchase, on free ports and with a data folder of its
 * own. `flags` are those of `npm start`; `environment` can name servers to use instead of its own.
 * Fails with what the start said when it does not come up.
 */
export async function startMarketplaceProcess(
  options: {
    readonly flags?: readonly string[]
    readonly environment?: Readonly<Record<string, string>>
  } = {},
): Promise<MarketplaceProcess> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'holdfast-marketplace-'))
  const flags = ['--data', dataFolder, '--ports', 'auto', '--no-purchase', ...(options.flags ?? [])]
  const output: string[] = []
  // By the channel the launcher learns that this process is gone, however it ended.
  const child = spawn(process.execPath, [LAUNCHER, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { ...process.env, ...options.environment },
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output.push(chunk.toString('utf8'))
    })
  }
  const gone = new Promise<void>((done) => {
    child.once('exit', () => {
      done()
    })
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await gone
    rmSync(dataFolder, { recursive: true, force: true })
  }
  try {
    const serves = () => hasEnded(child) || output.join('').includes('Everything serves')
    await eventually(serves, { withinMs: START_WITHIN_MS })
    if (hasEnded(child)) throw new Error('The start ended.')
    return { dataFolder, stop }
  } catch (cause) {
    await stop()
    throw new Error(`The marketplace does not serve:\n${output.join('')}`, { cause })
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
