import type { Bus } from '@holdfast/bus'
import { FACTS_STREAM } from '@holdfast/bus'
import type { Clock } from '@holdfast/kernel'
import type { KeyPurge, PrimaryDb } from '@holdfast/pg'
import { createFactRelay } from '@holdfast/outbox'
import { type Loop, startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { isWaiting } from './domain.ts'
import { performDuty } from './jobs-duty.ts'
import type { CallScope, Peers } from './clients.ts'
import type { PokeRun, SendDecision, StartOrder, StartRefund } from './domain-start.ts'
import { OUTBOX_HINT, PAYMENT_FACTS, orderOfPaymentFact } from './events.ts'
import type * as Store from './store.ts'
import type { QuotePlace } from './store.ts'
import {
  type Figure,
  dutiesMissing,
  ordersStarted,
  quotesPurged,
  showFigures,
} from './telemetry.ts'

/** What the loops work with, given by the composition root. */
export interface JobParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  /** Deletes answers to requests past their life. */
  readonly keyPurge: KeyPurge
  readonly peers: Peers
  readonly bus: Bus
  readonly startOrder: StartOrder
  readonly startRefund: StartRefund
  readonly pokeRun: PokeRun
  readonly sendDecision: SendDecision
  /** A scope of this many ms for one call, ended with the signal. */
  readonly scope: (timeoutMs: number, signal: AbortSignal) => CallScope
  /** True for a failure that no repetition mends. */
  readonly isHopeless: (error: unknown) => boolean
  readonly clock: Clock
  readonly log: Logger
}

/** Rows of one turn: as many as are worked off well before another process would take them. */
const ROWS_MAX = 20

/** Between looks for orders that nobody takes further, ms. */
const START_EVERY_MS = 500

/**
 * Longest wait, ms, for each of the three calls of a start: payment, cart, Temporal. Another
 * process may take the order meanwhile, which is harmless: each call has one request id.
 */
const START_MS = 1_500

/** Between looks for duties, ms. */
const DUTIES_EVERY_MS = 500

/** Between looks for decisions that did not reach their run, ms. */
const DECISIONS_EVERY_MS = 1_000

/** Longest wait for one decision, ms; below the 5 s after which it is sent again. */
const DECISION_MS = 3_000

/** Between comparisons of ended orders with what they owe, ms. */
const RECONCILE_EVERY_MS = 30_000

/** Between counts for the metrics, ms. */
const COUNT_EVERY_MS = 5_000

/** Between purges, ms. */
const PURGE_EVERY_MS = 60_000

/** Quotes looked at in one round: short transactions, and more rounds when it is full. */
const PURGE_ROWS_MAX = 500

/** Starts the loops of this service; disposing ends them after their present turn. */
export function startJobs(parts: JobParts): AsyncDisposable {
  const { keyPurge, clock, log } = parts
  const loops: readonly AsyncDisposable[] = [
    startStarter(parts),
    startDuties(parts),
    startDecisions(parts),
    startReconciler(parts),
    startCounter(parts),
    startPurge(parts),
    startLoop({ name: 'checkout.request_keys', ...keyPurge, clock, log }),
    followPayments(parts),
    startRelay(parts),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]()))
    },
  }
}

/** Takes orders further whose own process did not: lost, restarted, or without a peer. */
function startStarter({ db, store, startOrder, clock, log }: JobParts): Loop {
  return startLoop({
    name: 'checkout.starter',
    everyMs: START_EVERY_MS,
    clock,
    log,
    turn: async () => {
      const due = await store.takeDueOrdersToStart(db, ROWS_MAX)
      await Promise.all(
        due.map(async (orderId) => {
          ordersStarted.add(1, { outcome: await startOrder(orderId, START_MS) })
        }),
      )
      return due.length === ROWS_MAX ? 'again' : undefined
    },
  })
}

/** Works off what ended and paid orders owe to other services, until it is done. */
function startDuties(parts: JobParts): Loop {
  const { db, store, clock, log } = parts
  return startLoop({
    name: 'checkout.duties',
    everyMs: DUTIES_EVERY_MS,
    clock,
    log,
    turn: async (signal) => {
      const due = await store.takeDueDuties(db, ROWS_MAX)
      await Promise.all(due.map((duty) => performDuty(parts, duty, signal)))
      return due.length === ROWS_MAX ? 'again' : undefined
    },
  })
}

/** Sends operators' decisions again until their runs have taken them over. */
function startDecisions({ db, store, sendDecision, clock, log }: JobParts): Loop {
  return startLoop({
    name: 'checkout.decisions',
    everyMs: DECISIONS_EVERY_MS,
    clock,
    log,
    turn: async () => {
      const due = await store.takeDueDecisions(db, ROWS_MAX)
      await Promise.all(due.map((decision) => sendDecision(decision, DECISION_MS)))
    },
  })
}

/** Compares ended orders with what they owe; whatever is missing is a bug, and is owed again. */
function startReconciler({ db, store, clock, log }: JobParts): Loop {
  return startLoop({
    name: 'checkout.reconciler',
    everyMs: RECONCILE_EVERY_MS,
    clock,
    log,
    turn: async () => {
      const missing = await store.owedButMissing(db)
      if (missing === 0) return
      dutiesMissing.add(missing)
      log.error('Ended orders lacked duties', { found: missing })
    },
  })
}

function startCounter({ db, store, clock, log }: JobParts): Loop {
  let figures: readonly Figure[] = []
  showFigures(() => figures)
  return startLoop({
    name: 'checkout.counter',
    everyMs: COUNT_EVERY_MS,
    clock,
    log,
    turn: async () => {
      figures = await store.readCounts(db)
    },
  })
}

/** Deletes quotes past their use, one bounded round after the other. */
function startPurge({ db, store, clock, log }: JobParts): Loop {
  let place: QuotePlace | undefined
  return startLoop({
    name: 'checkout.purge',
    everyMs: PURGE_EVERY_MS,
    clock,
    log,
    turn: async () => {
      const done = await store.purgeQuotes(db, { after: place, rowsMax: PURGE_ROWS_MAX })
      place = done.place
      quotesPurged.add(done.purged)
      return done.isFull ? 'again' : undefined
    },
  })
}

/** Publishes the facts of orders and their parts. */
function startRelay({ db, bus, clock, log }: JobParts): AsyncDisposable {
  return createFactRelay({ db, bus, clock, log, hintSubject: OUTBOX_HINT })
}

/**
 * Payment's facts make runs that wait look at once; lost ones cost a poll interval. Any other run
 * is at work on the payment itself, so that a signal would only cost it a task and six events.
 */
function followPayments({ bus, db, store, pokeRun }: JobParts): AsyncDisposable {
  return bus.consume({
    stream: FACTS_STREAM,
    filterSubjects: PAYMENT_FACTS,
    name: 'checkout-payments',
    handle: async (message) => {
      const orderId = orderOfPaymentFact(message.subject, message.data)
      if (orderId === undefined) return
      const state = await store.readOrderState(db, orderId)
      if (state !== undefined && isWaiting(state)) await pokeRun(orderId)
    },
    // Nothing is lost with a hint: every run also looks by itself.
    park: async () => undefined,
  })
}
