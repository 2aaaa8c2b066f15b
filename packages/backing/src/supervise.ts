import { spawn, type ChildProcess } from 'node:child_process'
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs'
import path from 'node:path'
import { SECOND_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { explainLog } from './explain.ts'
import { elapsed, type Report } from './progress.ts'
import { guardProcess, releaseProcess } from './reaper.ts'
import { type ProcessRecord, signalGroup, signalProcess } from './record.ts'
import { describeFailure, SetupError } from './setup-error.ts'
import type { User } from './user.ts'

/** How one tells that a server serves. */
export interface Readiness {
  /** True once it serves; may reject, which counts as not yet. `signal` ends one look after 2 s. */
  readonly check: (signal: AbortSignal) => Promise<boolean>
  /** From start to serving; past it the process is killed. */
  readonly timeoutMs: number
}

/** What to start and how to keep it. */
export interface SupervisedOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** The whole environment of the child: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly readiness: Readiness
  /** Both streams of the child are appended here; cut at each start once it exceeds 16 MB. */
  readonly logFile: string
  /** False: a death is reported and final. */
  readonly restart: boolean
  readonly report: Report
  readonly argv0?: string | undefined
  readonly user?: User | undefined
  readonly stopSignal?: NodeJS.Signals
  /** Runs before each start of the child, the first one included. */
  readonly beforeStart?: () => Promise<void>
  /** After a death: once when it serves again, with its new process id. */
  readonly onRestart?: ((pid: number) => void) | undefined
  /** Where its process id is written down for a later start. */
  readonly record?: ProcessRecord | undefined
}

/** A child that is started again when it dies, until it is stopped. */
export interface SupervisedProcess {
  readonly name: string
  /** Process id of the present child; undefined between two of them and after stop. */
  readonly pid: number | undefined
  /** True while the present child has answered its readiness check. */
  readonly ready: boolean
  /** How often it was started again. */
  readonly restarts: number
  /** Ends it within 10 s: stop signal, 9.3 s of grace, SIGKILL for its group. Idempotent. */
  stop(): Promise<void>
}

/** From stop signal to SIGKILL: past the 9 s in which services drain, within the 10 s promised. */
const STOP_GRACE_MS = 9_300

/** First pause before a restart; doubles with each death in a row up to the cap. */
const RESTART_PAUSE_MS = 100
const RESTART_PAUSE_MS_MAX = 5 * SECOND_MS

/** A child that served this long starts the row of pauses anew. */
const STEADY_AFTER_MS = 10 * SECOND_MS

const READINESS_POLL_MS = 25
const READINESS_LOOK_MS_MAX = 2 * SECOND_MS

/** Bound on a log file: what a person still opens; the part before is kept once as `.old`. */
const LOG_BYTES_MAX = 16 * 1024 * 1024

/**
 * Starts a child in its own process group (Ctrl-C does not reach it) and resolves when it serves.
 * SetupError with the child's last words when its first start fails; later deaths are reported and
 * answered by a new start with growing pauses (100 ms to 5 s), without an end.
 */
export async function startSupervised(options: SupervisedOptions): Promise<SupervisedProcess> {
  const supervisor = new Supervisor(options)
  await supervisor.start()
  return supervisor
}

interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly failure?: Error
}

/** One incarnation of the child. */
interface Incarnation {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  /** Aborts when the child has exited. */
  readonly gone: AbortSignal
  /** Where its part of the log begins. */
  readonly logFromByte: number
}

class Supervisor implements SupervisedProcess {
  readonly name: string
  ready = false
  restarts = 0
  readonly #options: SupervisedOptions
  readonly #stopping = new AbortController()
  #current: Incarnation | undefined
  #watching: Promise<void> = Promise.resolve()

  constructor(options: SupervisedOptions) {
    this.name = options.name
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#current?.child.pid
  }

  async start(): Promise<void> {
    const incarnation = await this.#spawn()
    const failure = await this.#untilReady(incarnation)
    if (failure !== undefined) {
      await this.stop()
      throw new SetupError(failure)
    }
    this.#watching = this.#watch(incarnation)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    const { stopSignal = 'SIGTERM' } = this.#options
    const incarnation = this.#current
    if (incarnation?.child.pid !== undefined) {
      signalProcess(incarnation.child.pid, stopSignal)
      // A paused process acts on its stop signal only when it goes on.
      signalProcess(incarnation.child.pid, 'SIGCONT')
      await systemClock.sleep(STOP_GRACE_MS, incarnation.gone)
      if (!incarnation.gone.aborted) {
        this.#options.report(`${this.name} did not end in ${elapsed(STOP_GRACE_MS)} and is killed`)
        signalGroup(incarnation.child.pid, 'SIGKILL')
      }
      await incarnation.exited
    }
    await this.#watching
    this.ready = false
  }

  async #watch(first: Incarnation): Promise<void> {
    let incarnation: Incarnation | undefined = first
    let pauseMs = RESTART_PAUSE_MS
    while (incarnation !== undefined) {
      const readyAtMs = systemClock.monotonicMs()
      const exit: Exit = await incarnation.exited
      this.ready = false
      if (this.#stopping.signal.aborted) return
      this.#options.report(`${this.name} ended by itself (${describeExit(exit)})`)
      if (!this.#options.restart) return
      if (systemClock.monotonicMs() - readyAtMs > STEADY_AFTER_MS) pauseMs = RESTART_PAUSE_MS
      await systemClock.sleep(pauseMs, this.#stopping.signal)
      pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MS_MAX)
      incarnation = await this.#startAgain(pauseMs)
    }
  }

  /** Starts new children until one serves or this is stopped (then undefined). */
  async #startAgain(firstPauseMs: number): Promise<Incarnation | undefined> {
    let pauseMs = firstPauseMs
    while (!this.#stopping.signal.aborted) {
      this.restarts += 1
      const startedMs = systemClock.monotonicMs()
      const attempt = await this.#tryStart()
      if (typeof attempt !== 'string') {
        const took = elapsed(systemClock.monotonicMs() - startedMs)
        this.#options.report(
          `${this.name} serves again after ${took} (process ${attempt.child.pid})`,
        )
        if (attempt.child.pid !== undefined) this.#tellRestart(attempt.child.pid)
        return attempt
      }
      if (this.#stopping.signal.aborted) return undefined
      this.#options.report(`${attempt} Trying again.`)
      await systemClock.sleep(pauseMs, this.#stopping.signal)
      pauseMs = Math.min(pauseMs * 2, RESTART_PAUSE_MS_MAX)
    }
    return undefined
  }

  /** What its teller cannot do, such as write to a full disk, ends nothing here. */
  #tellRestart(pid: number): void {
    try {
      this.#options.onRestart?.(pid)
    } catch (failure) {
      this.#options.report(
        `${this.name} serves, but that could not be written down: ${describeFailure(failure)}`,
      )
    }
  }

  /** The serving child, or why it does not serve. */
  async #tryStart(): Promise<Incarnation | string> {
    try {
      const incarnation = await this.#spawn()
      const failure = await this.#untilReady(incarnation)
      if (failure === undefined) return incarnation
      if (incarnation.child.pid !== undefined) signalGroup(incarnation.child.pid, 'SIGKILL')
      await incarnation.exited
      return failure
    } catch (failure) {
      return `${this.name} could not be started: ${describeFailure(failure)}`
    }
  }

  async #spawn(): Promise<Incarnation> {
    const { command, args, env, cwd, argv0, user, logFile, stopSignal = 'SIGTERM' } = this.#options
    await this.#options.beforeStart?.()
    const log = openLog(logFile)
    const logFromByte = fstatSync(log).size
    const gone = new AbortController()
    try {
      const child = spawn(command, args, {
        cwd,
        env,
        detached: true,
        stdio: ['ignore', log, log],
        ...(argv0 === undefined ? {} : { argv0 }),
        ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      })
      const exited = new Promise<Exit>((resolve) => {
        child.once('error', (failure) => resolve({ code: null, signal: null, failure }))
        child.once('exit', (code, signal) => resolve({ code, signal }))
      }).finally(() => this.#forget({ child, gone }))
      this.#current = { child, exited, gone: gone.signal, logFromByte }
      if (child.pid !== undefined) {
        guardProcess(child.pid, stopSignal)
        await this.#writeDown(child.pid, exited)
      }
      return { child, exited, gone: gone.signal, logFromByte }
    } finally {
      closeSync(log)
    }
  }

  /** A child that cannot be written down must not live: a later start would not know of it. */
  async #writeDown(pid: number, exited: Promise<Exit>): Promise<void> {
    const { record, stopSignal = 'SIGTERM' } = this.#options
    try {
      record?.add({ name: this.name, pid, stopSignal })
    } catch (failure) {
      signalGroup(pid, 'SIGKILL')
      await exited
      throw failure
    }
  }

  #forget({ child, gone }: { child: ChildProcess; gone: AbortController }): void {
    gone.abort()
    if (this.#current?.child === child) this.#current = undefined
    if (child.pid === undefined) return
    // What the child started itself does not outlive it.
    signalGroup(child.pid, 'SIGKILL')
    releaseProcess(child.pid)
    this.#options.record?.remove(child.pid)
  }

  /** Undefined once the child serves, else why it does not: it exited, or its time is over. */
  async #untilReady(incarnation: Incarnation): Promise<string | undefined> {
    const { readiness, logFile } = this.#options
    const endMs = systemClock.monotonicMs() + readiness.timeoutMs
    while (!incarnation.gone.aborted && systemClock.monotonicMs() < endMs) {
      if (this.#stopping.signal.aborted) return `${this.name} was stopped while it started.`
      if (await look(readiness, incarnation.gone)) {
        this.ready = true
        return undefined
      }
      await systemClock.sleep(READINESS_POLL_MS, incarnation.gone)
    }
    const how = incarnation.gone.aborted
      ? `ended before it served (${describeExit(await incarnation.exited)})`
      : `did not serve within ${elapsed(readiness.timeoutMs)}`
    const why = explainDeath(logFile, incarnation.logFromByte)
    return `${this.name} ${how}: ${why} Its log is ${logFile}.`
  }
}

async function look(readiness: Readiness, gone: AbortSignal): Promise<boolean> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(READINESS_LOOK_MS_MAX)])
  try {
    // A child that is gone cannot have answered: somebody else listens on its port.
    return (await readiness.check(signal)) && !gone.aborted
  } catch {
    return false
  }
}

function describeExit({ code, signal, failure }: Exit): string {
  if (failure !== undefined) return describeFailure(failure)
  return signal ?? `exit code ${code}`
}

function openLog(logFile: string): number {
  mkdirSync(path.dirname(logFile), { recursive: true })
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.old`)
  return openSync(logFile, 'a', 0o640)
}

/** What the child wrote itself: an earlier one's words would explain the wrong death. */
function explainDeath(logFile: string, fromByte: number): string {
  try {
    return explainLog(readFileSync(logFile).subarray(fromByte).toString('utf8'))
  } catch {
    return ''
  }
}
