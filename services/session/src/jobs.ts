import { randomUUID } from 'node:crypto'
import {
  type AccountId,
  AlreadyExists,
  type Clock,
  MINUTE_MS,
  SECOND_MS,
  uuidOf,
} from '@holdfast/kernel'
import type { KeyPurge, PrimaryDb } from '@holdfast/pg'
import { type Loop, startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import type { Cache } from './cache.ts'
import { createClockGuard } from './domain-clock.ts'
import { foldEmail } from './domain-email.ts'
import type * as stores from './store.ts'
import { canaryCounter, endedCounter, observeCanaryMisses, purgedCounter } from './telemetry.ts'

/** Between two round trips of the canary, and the longest one that counts as well. */
const CANARY_EVERY_MS = 5 * SECOND_MS
const CANARY_LIMIT_MS = 200
/** Misses in a row that are worth waking someone. */
const CANARY_MISSES_ALERT = 3

/** Sessions live 30 days at least, so a sweep of all of them may take its time. */
const SWEEP_EVERY_MS = 10 * SECOND_MS
const SWEEP_PAGE_SIZE = 500

const PURGE_EVERY_MS = MINUTE_MS
/** Rows of one kind per turn: short transactions, and 80,000 rows an hour. */
const PURGE_ROWS_MAX = 2_000

/**
 * An operator who is there stays; this is only how soon a database that was away is asked again.
 */
const OPERATOR_EVERY_MS = MINUTE_MS

/** The facts that the loops write and read. */
export type JobsStore = Pick<
  typeof stores,
  | 'checkCanary'
  | 'expireSessions'
  | 'findPassword'
  | 'makeFirstOperator'
  | 'purge'
  | 'readDatabaseTime'
>

/** What the loops work with. */
export interface JobsParts {
  readonly db: PrimaryDb
  readonly store: JobsStore
  /** Deletes answers to requests past their life. */
  readonly keyPurge: KeyPurge
  /** Undefined without Redis. */
  readonly cache: Cache | undefined
  readonly firstOperator: FirstOperator | undefined
  readonly clock: Clock
  readonly log: Logger
  /** Called after a revocation is committed. */
  readonly onRevoked: () => void
}

/** Who operates first, with the ways to prove and to hash a password. */
export interface FirstOperator {
  readonly email: string
  readonly password: string
  readonly newAccountId: () => AccountId
  readonly hash: (password: string) => Promise<string>
  readonly verify: (password: string, stored: string) => Promise<boolean>
}

/** Starts the loops: canary, expiry, purge, first operator. Dispose it to stop them. */
export function startJobs(parts: JobsParts): AsyncDisposable {
  const { keyPurge, clock, log } = parts
  const loop = (name: string, everyMs: number, turn: () => Promise<'again' | void>): Loop =>
    startLoop({ name, everyMs, turn, clock, log })
  const loops = [
    loop('canary', CANARY_EVERY_MS, createCanary(parts)),
    loop('expiry', SWEEP_EVERY_MS, createExpiry(parts)),
    loop('purge', PURGE_EVERY_MS, createPurge(parts)),
    loop('request_keys', keyPurge.everyMs, keyPurge.turn),
    loop('first-operator', OPERATOR_EVERY_MS, createOperatorMaker(parts)),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(loops.map((one) => one[Symbol.asyncDispose]()))
    },
  }
}

/** A ping says that a server answers; only a round trip says that it keeps what it is given. */
function createCanary({ db, store, cache, clock, log }: JobsParts): () => Promise<void> {
  const misses: Record<string, number> = {}
  observeCanaryMisses(() => misses)
  const probe = async (name: string, trip: () => Promise<boolean>): Promise<void> => {
    const startedAtMs = clock.monotonicMs()
    const isRight = await trip().catch(() => false)
    const isWell = isRight && clock.monotonicMs() - startedAtMs <= CANARY_LIMIT_MS
    canaryCounter.add(1, { store: name, outcome: isWell ? 'ok' : 'missed' })
    misses[name] = isWell ? 0 : (misses[name] ?? 0) + 1
    if (misses[name] === CANARY_MISSES_ALERT) {
      log.error('The canary missed three times', { dependency: name })
    }
  }
  return async () => {
    const probes = [probe('postgres', () => store.checkCanary(db, newCanary()))]
    if (cache !== undefined) {
      probes.push(probe('redis', async () => (await cache.checkCanary()) === 'ok'))
    }
    await Promise.all(probes)
  }
}

function newCanary(): { readonly id: string; readonly value: string } {
  return { id: randomUUID(), value: randomUUID() }
}

function createExpiry(parts: JobsParts): () => Promise<'again' | void> {
  const { db, store, clock, log, onRevoked } = parts
  const guard = createClockGuard()
  let afterUuid: string | undefined
  return async () => {
    const time = await store.readDatabaseTime(db)
    if (time === undefined || !guard.isSteady(time, clock.monotonicMs())) {
      // Law 9: a clock that jumped would end every session at once.
      log.error("The database's clock jumped; nothing is expired until it is back")
      return undefined
    }
    const page = await store.expireSessions(db, { afterUuid, sizeMax: SWEEP_PAGE_SIZE })
    afterUuid = page.next === undefined ? undefined : uuidOf(page.next)
    if (page.endedCount > 0) {
      endedCounter.add(page.endedCount, { cause: 'EXPIRED' })
      onRevoked()
    }
    return page.next === undefined ? undefined : 'again'
  }
}

function createPurge({ db, store }: JobsParts): () => Promise<'again' | void> {
  return async () => {
    const purged = await store.purge(db, PURGE_ROWS_MAX)
    const counts = Object.entries(purged)
    for (const [kind, count] of counts) purgedCounter.add(count, { kind })
    return counts.some(([, count]) => count === PURGE_ROWS_MAX) ? 'again' : undefined
  }
}

function createOperatorMaker(parts: JobsParts): () => Promise<void> {
  const { firstOperator, log } = parts
  let isDone = firstOperator === undefined
  return async () => {
    if (isDone || firstOperator === undefined) return
    const outcome = await makeOperator(parts, firstOperator)
    isDone = true
    if (outcome === 'made') log.info('The first operator was made')
    if (outcome === 'refused') {
      log.error('The first operator was not made: that account has another password')
    }
  }
}

async function makeOperator(
  { db, store }: JobsParts,
  operator: FirstOperator,
): Promise<'made' | 'exists' | 'refused'> {
  const emailFolded = foldEmail(operator.email)
  const known = await store.findPassword(db, emailFolded)
  const isProven =
    known !== undefined && (await operator.verify(operator.password, known.passwordHash))
  const made = {
    accountId: operator.newAccountId(),
    email: operator.email,
    emailFolded,
    displayName: 'Operator',
    passwordHash: await operator.hash(operator.password),
  }
  try {
    return await store.makeFirstOperator(
      db,
      made,
      (accountId) => isProven && accountId === known?.accountId,
    )
  } catch (error) {
    // Another process made the same account meanwhile; the next turn finds it.
    if (error instanceof AlreadyExists) return makeOperator({ db, store } as JobsParts, operator)
    throw error
  }
}
