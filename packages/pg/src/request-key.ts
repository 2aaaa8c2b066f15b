import { createHash } from 'node:crypto'
import { InvalidInput, isHoldfastError } from '@holdfast/kernel'
import type { Tx } from './db.ts'
import { RunAgain } from './run-again.ts'
import { sql } from './statement.ts'

/** Who asked, what, under which id, and the hash of what was asked (law 2 of the design). */
export interface RequestKey {
  /** The caller's own name first, then others whose answers count as its own (the guest it was). */
  readonly principals: readonly [string, ...string[]]
  readonly method: string
  readonly requestId: string
  /** 32 bytes. */
  readonly requestHash: Uint8Array
}

/** How long an answer is remembered, as a Postgres interval. */
export const REQUEST_KEY_LIFE = '3 days'

// The caller's own answer first: it counts before that of the guest it was.
const findKey = sql<{ request_hash: Buffer; answer: Buffer }>(
  'pg.request_key.find',
  `SELECT request_hash, answer FROM request_key
   WHERE key = ANY ($1::bytea[]) AND expires_at > now()
   ORDER BY array_position($1::bytea[], key) LIMIT 1`,
)

// An answer past its life that no purge has taken yet makes way.
const insertKey = sql(
  'pg.request_key.insert',
  `INSERT INTO request_key AS k (key, method, request_hash, answer, created_at, expires_at)
   VALUES ($1, $2, $3, $4, now(), now() + $5::interval)
   ON CONFLICT (key) DO UPDATE SET method = EXCLUDED.method, request_hash = EXCLUDED.request_hash,
     answer = EXCLUDED.answer, created_at = EXCLUDED.created_at, expires_at = EXCLUDED.expires_at
   WHERE k.expires_at <= now()`,
)

// One whose row is locked is being given a new answer, or another copy deletes it.
const purgeKeys = sql(
  'pg.request_key.purge',
  `DELETE FROM request_key WHERE key = ANY (ARRAY(
     SELECT key FROM request_key WHERE expires_at <= now() LIMIT $1 FOR UPDATE SKIP LOCKED))`,
)

/**
 * SHA-256 of (principal, method, request id), each with its length so that no two pairs collide.
 */
export function requestKeyHash(principal: string, method: string, requestId: string): Buffer {
  const hash = createHash('sha256')
  for (const part of [principal, method, requestId]) {
    const bytes = Buffer.from(part, 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hash.update(length).update(bytes)
  }
  return hash.digest()
}

/**
 * The answer given to this request before, or undefined for a first time. Fails with InvalidInput
 * KEY_REUSED when the id was used for other content. Call it after the lock of the entity is taken.
 */
export async function findAnswer(tx: Tx, key: RequestKey): Promise<Uint8Array | undefined> {
  const hashes = key.principals.map((name) => requestKeyHash(name, key.method, key.requestId))
  const { rows } = await tx.query(findKey, [hashes])
  const row = rows[0]
  if (row === undefined) return undefined
  if (Buffer.compare(row.request_hash, key.requestHash) !== 0) throw keyReused()
  return row.answer
}

/** The failure for a request id that was used before with other content. */
export function keyReused(): InvalidInput {
  return new InvalidInput(
    'This request_id was used before with other content; use a new one for a new request.',
    [{ field: 'request_id', description: 'was used before with other content' }],
    'KEY_REUSED',
  )
}

/**
 * Remembers the answer beside its effect, for `life` (a Postgres interval). A second first try of
 * the same id makes the transaction run again as a whole.
 */
export async function rememberAnswer(
  tx: Tx,
  key: RequestKey,
  answer: Uint8Array,
  life: string = REQUEST_KEY_LIFE,
): Promise<void> {
  const hash = requestKeyHash(key.principals[0], key.method, key.requestId)
  const values = [hash, key.method, key.requestHash, answer, life]
  const { rowCount } = await tx.query(insertKey, values)
  if (rowCount !== 1) throw new RunAgain('Another first try of this request was quicker.')
}

/** How a remembered answer is written and read; a ts-proto message type fits. */
export interface AnswerCodec<T> {
  encode(answer: T): { finish(): Uint8Array }
  decode(bytes: Uint8Array): T
}

/**
 * Runs `effect` at most once per key: a repeat gets the first answer without running it, also when
 * the first try committed while `effect` ran and made it refuse. For verbs on an existing thing,
 * take its lock in `tx` first.
 */
export async function oncePerKey<T>(
  tx: Tx,
  key: RequestKey,
  codec: AnswerCodec<T>,
  effect: () => Promise<T>,
): Promise<T> {
  const before = await findAnswer(tx, key)
  if (before !== undefined) return codec.decode(before)
  let answer: T
  try {
    answer = await effect()
  } catch (error) {
    const meanwhile = await answerMeanwhile(tx, key, error)
    if (meanwhile !== undefined) return codec.decode(meanwhile)
    throw error
  }
  await rememberAnswer(tx, key, codec.encode(answer).finish())
  return answer
}

/** A refusal may be the work of this very request's other try: "it exists" of a thing it made. */
async function answerMeanwhile(
  tx: Tx,
  key: RequestKey,
  error: unknown,
): Promise<Uint8Array | undefined> {
  if (!isHoldfastError(error)) return undefined
  try {
    return await findAnswer(tx, key)
  } catch {
    // The refusal came of a failed statement: the transaction is over and the refusal stands.
    return undefined
  }
}

/** Deletes up to `rowsMax` answers past their life; returns how many. Idempotent. */
export async function purgeExpiredKeys(tx: Tx, rowsMax: number): Promise<number> {
  return (await tx.query(purgeKeys, [rowsMax])).rowCount
}
