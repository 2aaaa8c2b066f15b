import type { Clock, SellerId } from '@holdfast/kernel'
import type { KeyPurge, PrimaryDb } from '@holdfast/pg'
import { type Loop, startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import type { OwnerGranter } from './clients.ts'
import type * as Store from './store.ts'
import type { Signal } from './store-change.ts'
import { onboardingSignals, ownerGrants, watchStuckGrants } from './telemetry.ts'

/** What the loops work with, given by the composition root. */
export interface JobParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  /** Deletes answers to requests past their life. */
  readonly keyPurge: KeyPurge
  /** Makes the account an owner of the seller at the session service. */
  readonly grantOwner: (
    owner: Parameters<OwnerGranter['grantOwner']>[0],
    signal: AbortSignal,
  ) => Promise<void>
  /** Tells the seller's workflow, starting it when none runs. */
  readonly signalSeller: (sellerId: SellerId, name: Signal) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** Owners asked for in one turn; each is one call to session. */
const GRANTS_MAX = 20
/** Workflows told in one turn; each is one call to Temporal. */
const SIGNALS_MAX = 50
/** Between two looks for what is due, ms: a new owner waits little longer. */
const LOOK_EVERY_MS = 500
/** Between two counts of owners that are not made, ms. */
const COUNT_EVERY_MS = 10_000

/** Starts the loops of this service; disposing ends them after their present turn. */
export function startJobs(parts: JobParts): AsyncDisposable {
  const { keyPurge, clock, log } = parts
  const loops = [
    startGrants(parts),
    startSignals(parts),
    startCount(parts),
    startLoop({ name: 'seller.request_keys', ...keyPurge, clock, log }),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]()))
    },
  }
}

function startGrants({ db, store, grantOwner, clock, log }: JobParts): Loop {
  return startLoop({
    name: 'seller.owner_grants',
    everyMs: LOOK_EVERY_MS,
    clock,
    log,
    turn: async (signal) => {
      const due = await store.takeDueGrants(db, GRANTS_MAX)
      for (const { sellerId, accountId, attempts } of due) {
        try {
          await grantOwner({ sellerId, accountId }, signal)
          await store.markGrantDone(db, sellerId)
          ownerGrants.add(1, { outcome: 'granted' })
        } catch (error) {
          // One that fails is tried again later and does not keep the others waiting.
          const failure = error instanceof Error ? error : new Error(String(error))
          ownerGrants.add(1, { outcome: 'failed' })
          log.warn('An owner could not be made yet', { sellerId, attempts, failure })
        }
      }
      return due.length === GRANTS_MAX ? 'again' : undefined
    },
  })
}

function startSignals({ db, store, signalSeller, clock, log }: JobParts): Loop {
  return startLoop({
    name: 'seller.onboarding_signals',
    everyMs: LOOK_EVERY_MS,
    clock,
    log,
    turn: async () => {
      const due = await store.readDueSellers(db, SIGNALS_MAX)
      for (const told of due) {
        try {
          await signalSeller(told.sellerId, told.signal)
        } catch (error) {
          // Away for one is away for all: the loop's own pause is the wait.
          onboardingSignals.add(1, { outcome: 'failed' })
          throw error
        }
        await store.markSignalled(db, told)
        onboardingSignals.add(1, { outcome: 'told' })
      }
      return due.length === SIGNALS_MAX ? 'again' : undefined
    },
  })
}

function startCount({ db, store, clock, log }: JobParts): Loop {
  let stuck = 0
  watchStuckGrants(() => stuck)
  return startLoop({
    name: 'seller.stuck_grants',
    everyMs: COUNT_EVERY_MS,
    clock,
    log,
    turn: async () => {
      stuck = await store.countStuckGrants(db)
    },
  })
}
