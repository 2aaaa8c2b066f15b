import { type Bus, hintSubject } from '@holdfast/bus'
import { type Clock, MINUTE_MS, SECOND_MS } from '@holdfast/kernel'
import { createFactRelay } from '@holdfast/outbox'
import type { KeyPurge } from '@holdfast/pg'
import { createDisposer, startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import type { PaymentProvider } from './provider.ts'
import type { Steps } from './steps.ts'
import type * as Store from './store.ts'
import type { StoreBase } from './store-base.ts'
import { parkedEvents, watchHealth } from './telemetry.ts'

/** What the loops work with, given by the composition root. */
export interface JobParts {
  readonly base: StoreBase
  readonly store: typeof Store
  /** Deletes answers to requests past their life. */
  readonly keyPurge: KeyPurge
  readonly steps: Steps
  readonly provider: PaymentProvider
  readonly bus: Bus
  readonly callLimitMs: number
  readonly clock: Clock
  readonly log: Logger
}

/** Between looks for payments and refunds that are due, in ms. */
const RESOLVE_EVERY_MS = 250
/** Looked up at the same time: one provider, few connections. */
const RESOLVE_PARALLEL_MAX = 16
/** Between looks into the inbox, in ms; a webhook moves a payment within twice this. */
const INBOX_EVERY_MS = 250
/** Events of one transaction: each locks a payment's row for its length. */
const INBOX_BATCH_MAX = 100
/** Between readings of the provider's list of events, which finds webhooks that never came. */
const EVENTS_EVERY_MS = MINUTE_MS
/** Pages read in one turn; the next turn goes on. */
const EVENT_PAGES_MAX = 20
/** Between foldings of account sums. */
const FOLD_EVERY_MS = 30 * SECOND_MS
/** Accounts folded at once. */
const FOLD_ACCOUNTS_MAX = 200
/** Between counts of what does not move. */
const HEALTH_EVERY_MS = 5 * SECOND_MS
/** Between purges of the inbox, and rows of one purge. */
const PURGE_EVERY_MS = MINUTE_MS
const PURGE_ROWS_MAX = 1_000

/** Starts the loops of this service; disposing ends them after their present turn. */
export function startJobs(parts: JobParts): AsyncDisposable {
  const { base, store, keyPurge, bus, clock, log } = parts
  const disposer = createDisposer()
  const loop = (name: string, everyMs: number, turn: () => Promise<'again' | void>) =>
    disposer.add(startLoop({ name: `payment.${name}`, everyMs, turn, clock, log }))
  disposer.add(
    createFactRelay({ db: base.db, bus, clock, log, hintSubject: hintSubject('outbox.payment') }),
  )
  const resolver = loop('resolver', RESOLVE_EVERY_MS, () => resolve(parts))
  loop('refunds', RESOLVE_EVERY_MS, () => resolveRefunds(parts))
  loop('inbox', INBOX_EVERY_MS, async () => {
    const { applied, parked } = await store.applyEvents(base, INBOX_BATCH_MAX)
    parkedEvents.add(parked)
    if (applied > 0) resolver.wake()
    return applied === INBOX_BATCH_MAX ? 'again' : undefined
  })
  loop('events', EVENTS_EVERY_MS, () => readEvents(parts))
  loop('fold', FOLD_EVERY_MS, () => store.foldBalances(base.db, FOLD_ACCOUNTS_MAX))
  loop('purge', PURGE_EVERY_MS, async () => {
    const purged = await store.purgeEvents(base, PURGE_ROWS_MAX)
    return purged === PURGE_ROWS_MAX ? 'again' : undefined
  })
  loop('request_keys', keyPurge.everyMs, keyPurge.turn)
  const health = watchHealth()
  loop('health', HEALTH_EVERY_MS, async () => health.set(await store.readHealth(base.db)))
  return { [Symbol.asyncDispose]: () => disposer.dispose() }
}

async function resolve({ base, store, steps, log }: JobParts): Promise<'again' | void> {
  const due = await store.findDuePayments(base, RESOLVE_PARALLEL_MAX)
  const looks = due.map(async (paymentId) => {
    try {
      return await steps.run({ paymentId, want: 'look' })
    } catch (error) {
      log.warn('A payment could not be looked up', { paymentId, failure: error as Error })
      await store.postponePayment(base, paymentId)
      return 'busy'
    }
  })
  return goOn(due.length, await Promise.allSettled(looks))
}

async function resolveRefunds({ base, store, steps, log }: JobParts): Promise<'again' | void> {
  const due = await store.findDueRefunds(base, RESOLVE_PARALLEL_MAX)
  const looks = due.map(async (refundId) => {
    try {
      return await steps.runRefund(refundId)
    } catch (error) {
      log.warn('A refund could not be looked up', { refundId, failure: error as Error })
      await store.postponeRefund(base, refundId)
      return 'busy'
    }
  })
  return goOn(due.length, await Promise.allSettled(looks))
}

/** A full batch is followed at once by the next, unless nothing of it came to rest. */
function goOn(
  dueCount: number,
  ends: readonly PromiseSettledResult<unknown>[],
): 'again' | undefined {
  const isMoving = ends.some((end) => end.status === 'fulfilled' && end.value !== 'busy')
  return dueCount === RESOLVE_PARALLEL_MAX && isMoving ? 'again' : undefined
}

async function readEvents(parts: JobParts): Promise<'again' | void> {
  const { base, store, provider } = parts
  for (let page = 0; page < EVENT_PAGES_MAX; page += 1) {
    const cursor = await store.readCursor(base)
    const signal = AbortSignal.timeout(parts.callLimitMs)
    const answer = await provider.listEvents(cursor, { signal })
    if (answer.kind !== 'known') return undefined
    // Stored before the cursor moves, so that an end in between only reads a page twice.
    await store.receiveEvents(base, 'list', answer.value.events)
    await store.writeCursor(base, answer.value.cursor)
    if (!answer.value.hasMore) return undefined
  }
  return 'again'
}
