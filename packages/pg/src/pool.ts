import { type Clock, Unavailable } from '@holdfast/kernel'
import { type Logger, counter, durationHistogram } from '@holdfast/telemetry'
import { DatabaseError, Pool, type PoolClient, type QueryConfig, type QueryResult, types } from 'pg'
import type { Result, SqlValue, Statement } from './statement.ts'
import { urlWithPassword } from './url.ts'

/** How to reach one database as one role. */
export interface PoolOptions {
  /** postgres://user@host:port/database, without the password. */
  readonly url: string
  readonly password: string
  /** Shown in pg_stat_activity: service and process. */
  readonly applicationName: string
  /** Connections at most; more than ten gains nothing on two cores. */
  readonly connectionsMax: number
  readonly clock: Clock
  readonly log: Logger
  /** Server-side bound on one statement, ms. */
  readonly statementTimeoutMs?: number
}

/**
 * Bound on waiting for a row lock; past it the caller is told to try again. Above the server's
 * deadlock_timeout of 1 s, so that a deadlock ends with one victim instead of all who are in it.
 */
const LOCK_TIMEOUT_MS = 1_200
/** Bound on one transaction: no work here is meant to hold locks longer. */
const TRANSACTION_TIMEOUT_MS = 5_000
/** Bound on one statement when the caller gives none. */
const STATEMENT_TIMEOUT_MS = 4_000
/** A client that vanished between statements frees its locks after this. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 3_000
/** Waiting for a free or new connection; past it the database counts as away. */
const CONNECT_TIMEOUT_MS = 2_000
/** The client gives up this much after the server should have. */
const CLIENT_MARGIN_MS = 1_000

const INT8 = 20
const INT8_ARRAY = 1016
const XID8 = 5069

const queryDuration = durationHistogram('holdfast_sql_duration_ms', 'Time of one SQL statement')
const brokenConnections = counter('holdfast_sql_connections_lost_total', 'Connections that broke')

/** A connection taken from the pool; give it back exactly once. */
export interface Lease {
  query<R>(statement: Statement<R>, values: readonly SqlValue[]): Promise<Result<R>>
  /** A statement without values or a name: BEGIN, COMMIT, SET. Answers the server's command tag. */
  command(text: string): Promise<string>
  /** Back to the pool, or closed for good when `broken`. */
  giveBack(broken: boolean): void
}

/** Connections of one role to one database. */
export interface ConnectionPool extends AsyncDisposable {
  take(): Promise<Lease>
  /** True while all connections are in use and one answered within the last half second. */
  isSaturated(): boolean
}

/** An answer this recent, ms, proves a server alive that has no connection left for a probe. */
const RECENT_ANSWER_MS = 500

/** Opens no connection yet; the first `take` does. */
export function createConnectionPool(options: PoolOptions): ConnectionPool {
  const pool = new Pool({
    connectionString: urlWithPassword(options.url, options.password),
    application_name: options.applicationName,
    max: options.connectionsMax,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    query_timeout: (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS) + CLIENT_MARGIN_MS,
    types: { getTypeParser },
    options: [
      `-c statement_timeout=${options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS}`,
      `-c lock_timeout=${LOCK_TIMEOUT_MS}`,
      `-c transaction_timeout=${TRANSACTION_TIMEOUT_MS}`,
      `-c idle_in_transaction_session_timeout=${IDLE_IN_TRANSACTION_TIMEOUT_MS}`,
    ].join(' '),
  })
  // A connection that breaks without a listener ends the process, whether it is idle, in use or on
  // its way out, so each has one for its whole life. The pool tells idle ones apart by itself.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => {
    client.on('error', (error) => {
      brokenConnections.add(1)
      options.log.warn('A database connection broke', { failure: error })
    })
  })
  const answered = { atMs: Number.NEGATIVE_INFINITY }
  return {
    take: async () => lease(await connect(pool), options, answered),
    isSaturated: () =>
      pool.totalCount >= options.connectionsMax &&
      pool.idleCount === 0 &&
      options.clock.monotonicMs() - answered.atMs < RECENT_ANSWER_MS,
    [Symbol.asyncDispose]: () => pool.end(),
  }
}

async function connect(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect()
  } catch (cause) {
    throw new Unavailable(
      'DEPENDENCY_UNAVAILABLE',
      'The database cannot be reached now; try again with the same request_id.',
      {},
      { cause, retryAfterMs: 500 },
    )
  }
}

function lease(client: PoolClient, options: PoolOptions, answered: { atMs: number }): Lease {
  let given = false
  const run = async (query: QueryConfig): Promise<QueryResult> => {
    // By then the connection may be another's: a late statement would join a stranger's work.
    if (given) throw new Error('A statement came after its transaction had ended.')
    try {
      const result = await client.query(query)
      answered.atMs = options.clock.monotonicMs()
      return result
    } catch (error) {
      if (error instanceof DatabaseError) answered.atMs = options.clock.monotonicMs()
      throw error
    }
  }
  return {
    query: async (statement, values) => {
      const { name, text } = statement
      const startedAt = options.clock.monotonicMs()
      const result = await run({ name, text, values: values as unknown[] })
      queryDuration.record(options.clock.monotonicMs() - startedAt, { statement: name })
      return { rows: result.rows, rowCount: result.rowCount ?? 0 }
    },
    command: async (text) => (await run({ text })).command,
    giveBack: (broken) => {
      if (given) return
      given = true
      client.release(broken)
    },
  }
}

function getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  const parse = types.getTypeParser(oid, format) as (text: string) => unknown
  if (oid === INT8 || oid === XID8) return BigInt
  if (oid !== INT8_ARRAY) return parse
  return (text) =>
    (parse(text) as readonly (string | null)[]).map((item) => (item === null ? null : BigInt(item)))
}
