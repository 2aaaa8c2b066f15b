import type { Clock, StopSignal } from '@holdfast/kernel'

/** Law 10: one hint of a subject per process in this time; a poll stands behind each hint. */
export const POKE_WINDOW_MS = 10

/** Bound on subjects with an open window; at 10 ms each this is 100,000 hints a second. */
const OPEN_WINDOWS_MAX = 1_024

/**
 * Thins out hints: the first of a subject goes out at once, any number of further ones within
 * 10 ms become one at the end of the window, so that the last is never swallowed.
 */
export class PokeGate {
  readonly #send: (subject: string) => void
  readonly #clock: Clock
  readonly #stop: StopSignal
  readonly #windows = new Map<string, { again: boolean }>()

  constructor(options: {
    readonly send: (subject: string) => void
    readonly clock: Clock
    readonly stop: StopSignal
  }) {
    this.#send = options.send
    this.#clock = options.clock
    this.#stop = options.stop
  }

  poke(subject: string): void {
    const open = this.#windows.get(subject)
    if (open !== undefined) {
      open.again = true
      return
    }
    // A hint that is dropped costs its reader one poll interval, memory without bound costs more.
    if (this.#stop.aborted || this.#windows.size >= OPEN_WINDOWS_MAX) return
    this.#windows.set(subject, { again: false })
    this.#send(subject)
    void this.#closeWindow(subject)
  }

  async #closeWindow(subject: string): Promise<void> {
    await this.#clock.sleep(POKE_WINDOW_MS, this.#stop)
    const window = this.#windows.get(subject)
    this.#windows.delete(subject)
    if (window?.again === true) this.poke(subject)
  }
}
