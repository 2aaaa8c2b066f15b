import { type Clock, Conflict, HoldfastError, OutcomeUnknown, Unavailable } from '@holdfast/kernel'
import { type ConnectionPool, type Lease, type PoolOptions, createConnectionPool } from './pool.ts'
import {
  SQL_STATE,
  endsConnection,
  isRetryable,
  isServerTrouble,
  sqlStateOf,
  violatedConstraint,
} from './sqlstate.ts'
import type { Result, SqlValue, Statement } from './statement.ts'

const primary: unique symbol = Symbol('primary database')

/** Where statements run inside a transaction. */
export interface Tx {
  query<R>(statement: Statement<R>, values?: readonly SqlValue[]): Promise<Result<R>>
}

/**
 * The primary database: the only handle a decision may be made from. All three ways fail with
 * Unavailable when nothing was done, and with OutcomeUnknown when the answer was lost.
 */
export interface PrimaryDb extends AsyncDisposable {
  readonly [primary]: true
  /** One statement that changes nothing. */
  read<R>(statement: Statement<R>, values?: readonly SqlValue[]): Promise<Result<R>>
  /** One statement that changes something, by itself a transaction. */
  write<R>(statement: Statement<R>, values?: readonly SqlValue[]): Promise<Result<R>>
  /** True while all connections are in use and answers keep coming: busy, not away. */
  isSaturated(): boolean
  /**
   * Runs `work` in one transaction and commits. On 40001, 40P01, 55P03, RunAgain and a request key
   * taken meanwhile, the whole of `work` runs again, at most three times, so it must have no effect
   * outside the database. What `work` throws rolls back and is thrown on. `againOn` names unique
   * constraints whose violation means that another first try won, so that a second run finds its
   * row.
   */
  transaction<T>(
    work: (tx: Tx) => Promise<T>,
    options?: { readonly againOn?: readonly string[] },
  ): Promise<T>
}

/** Bound on runs of one transaction; each waits for the locks the one before lost to. */
const ATTEMPTS_MAX = 3
/** Longest wait before a run is repeated; random, so that rivals spread. */
const RERUN_SPREAD_MS = 20

/** Connects to the primary; no connection is opened until first used. */
export function createPrimaryDb(options: PoolOptions): PrimaryDb {
  const pool = createConnectionPool(options)
  const { clock } = options
  return {
    [primary]: true,
    read: (statement, values = []) =>
      single(pool, statement, values, (cause) => databaseAway(cause)),
    write: (statement, values = []) =>
      retried(clock, () => single(pool, statement, values, (cause) => outcomeUnknown(cause))),
    isSaturated: () => pool.isSaturated(),
    transaction: (work, options) => retried(clock, () => attempt(pool, work), options?.againOn),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  }
}

async function single<R>(
  pool: ConnectionPool,
  statement: Statement<R>,
  values: readonly SqlValue[],
  onLostAnswer: (cause: unknown) => HoldfastError,
): Promise<Result<R>> {
  const lease = await pool.take()
  try {
    const result = await lease.query(statement, values)
    lease.giveBack(false)
    return result
  } catch (error) {
    lease.giveBack(isUnusableAfter(error))
    if (endsConnection(error)) throw onLostAnswer(error)
    throw isServerTrouble(error) ? databaseAway(error) : error
  }
}

async function attempt<T>(pool: ConnectionPool, work: (tx: Tx) => Promise<T>): Promise<T> {
  const lease = await pool.take()
  let value: T
  try {
    await lease.command('BEGIN')
    value = await work({ query: (statement, values = []) => lease.query(statement, values) })
  } catch (error) {
    await rollBack(lease, error)
    // COMMIT was never sent, so nothing was done.
    throw isServerTrouble(error) ? databaseAway(error) : error
  }
  await commit(lease)
  return value
}

async function commit(lease: Lease): Promise<void> {
  let tag: string
  try {
    tag = await lease.command('COMMIT')
  } catch (error) {
    const isRefused = sqlStateOf(error) !== undefined && !isServerTrouble(error)
    lease.giveBack(!isRefused)
    throw isRefused ? error : outcomeUnknown(error)
  }
  lease.giveBack(false)
  // COMMIT of a failed transaction succeeds and answers ROLLBACK; only COMMIT counts.
  if (tag !== 'COMMIT') {
    throw new Error(`A transaction answered ${tag}: its work went on after a failed statement.`)
  }
}

async function rollBack(lease: Lease, reason: unknown): Promise<void> {
  if (isUnusableAfter(reason)) return lease.giveBack(true)
  try {
    await lease.command('ROLLBACK')
    lease.giveBack(false)
  } catch {
    lease.giveBack(true)
  }
}

/** A connection to a server that turned standby is as good as lost: it will take no write. */
function isUnusableAfter(error: unknown): boolean {
  return endsConnection(error) || sqlStateOf(error) === SQL_STATE.readOnlyTransaction
}

async function retried<T>(
  clock: Clock,
  run: () => Promise<T>,
  againOn: readonly string[] = [],
): Promise<T> {
  for (let attemptNumber = 1; ; attemptNumber += 1) {
    try {
      return await run()
    } catch (error) {
      const isAgain = againOn.includes(violatedConstraint(error) ?? '')
      if (!isAgain && !isRetryable(error)) throw error
      if (attemptNumber >= ATTEMPTS_MAX) throw busy(error)
      // Two that met in a deadlock would meet again if they started again together.
      await clock.sleep(Math.random() * RERUN_SPREAD_MS)
    }
  }
}

function busy(cause: unknown): HoldfastError {
  const isLock = sqlStateOf(cause) === SQL_STATE.lockNotAvailable
  return new Conflict(
    'KEY_IN_PROGRESS',
    isLock
      ? 'Another request is changing the same thing; try again with the same request_id.'
      : 'Too many requests change the same thing; try again with the same request_id.',
    {},
    { cause, retryAfterMs: 200 },
  )
}

function databaseAway(cause: unknown): HoldfastError {
  if (cause instanceof HoldfastError) return cause
  return new Unavailable(
    'DEPENDENCY_UNAVAILABLE',
    'The database cannot answer now; nothing was done. Try again with the same request_id.',
    {},
    { cause, retryAfterMs: 500 },
  )
}

function outcomeUnknown(cause: unknown): HoldfastError {
  return new OutcomeUnknown(
    'The database did not answer in time, so this may or may not have been done. ' +
      'Repeat it with the same request_id to find out.',
    {},
    { cause },
  )
}
