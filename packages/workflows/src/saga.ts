/**
 * Undo in the opposite order. An undo is registered before its step runs, is valid if the step
 * never happened, runs in a scope that a cancelled workflow does not reach, and ends only when it
 * is done.
 */
import { CancellationScope } from '@temporalio/workflow'
import type { UndoAnswer } from './contract.ts'

/**
 * Takes one step back; returns when that is certain, so retrying and parking are its own affair.
 */
export type Undo = () => Promise<UndoAnswer>

/** The undo list of one workflow run. */
export interface Saga {
  /** Registers the undo of something that stands already. */
  register(undo: Undo): void
  /** Registers `undo`, then runs the step it would take back. */
  step<T>(undo: Undo, run: () => Promise<T>): Promise<T>
  /**
   * Takes every registered step back, last first. Stops with `too-late` at the first undo that
   * finds its step cannot be taken back any more; that one and those below it stay registered.
   */
  undo(): Promise<UndoAnswer>
}

/** A saga with nothing registered. */
export function createSaga(): Saga {
  const undos: Undo[] = []
  return {
    register: (undo) => void undos.push(undo),
    async step(undo, run) {
      undos.push(undo)
      return run()
    },
    undo: () => CancellationScope.nonCancellable(() => undoAll(undos)),
  }
}

async function undoAll(undos: Undo[]): Promise<UndoAnswer> {
  // Bounded by the number of registered steps: each round takes one off.
  for (let last = undos.at(-1); last !== undefined; last = undos.at(-1)) {
    if ((await last()) === 'too-late') return 'too-late'
    undos.pop()
  }
  return 'undone'
}
