import process from 'node:process'
import { crashPoint } from '@holdfast/kernel'
import { createLogger } from '@holdfast/telemetry'
import { BadConfiguration, runProcess, systemClock } from '../src/index.ts'

// A process for tests of its life: the first argument says how it behaves.
const [mode] = process.argv.slice(2)
const log = createLogger({ service: 'child' })
const say = (text: string): void => void process.stdout.write(`${text}\n`)

/** Keeps the process alive, as a listening server does. */
const alive = setInterval(() => undefined, 1_000)

async function drain(): Promise<void> {
  say('draining')
  if (mode === 'failing-drain') throw new Error('the drain failed')
  if (mode === 'endless-drain') await new Promise(() => undefined)
  if (mode === 'idle-drain') {
    clearInterval(alive)
    await new Promise(() => undefined)
  }
  await systemClock.sleep(300)
  say('drained')
}

async function start(): Promise<AsyncDisposable> {
  if (mode === 'bad-config') throw new BadConfiguration(['HOLDFAST_X_PORT: must be a number.'])
  if (mode === 'bad-start') {
    const cause = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
    throw new Error('The database is away', { cause })
  }
  if (mode === 'endless-start') {
    say('starting')
    await new Promise(() => undefined)
  }
  if (mode === 'rejects') setTimeout(() => void Promise.reject(new Error('a bug')), 50)
  if (mode === 'throws') {
    setTimeout(() => {
      throw new Error('a bug')
    }, 50)
  }
  crashPoint('started')
  say('ready')
  return { [Symbol.asyncDispose]: drain }
}

await runProcess({ process, log, start })
