import { NotFound } from '@holdfast/kernel'
import {
  type AnswerCodec,
  type PrimaryDb,
  type RequestKey,
  type Tx,
  findAnswer,
  rememberAnswer,
  sql,
} from '@holdfast/pg'
import type { newId } from '@holdfast/runtime'
import type { Actor } from './domain.ts'

/** Makes ids; given, because the store knows no source of randomness. */
export type NewId = typeof newId

/** A change that is asked for: under which key, by whom, and how its answer is remembered. */
export interface Ask<T, A> {
  readonly key: RequestKey
  readonly codec: AnswerCodec<A>
  /** What is answered, and remembered, for the outcome. */
  readonly answer: (outcome: T) => A
  readonly actor: Actor
  readonly newId: NewId
}

/** What every fact and row of a change needs to know. */
export type Why = Pick<Ask<unknown, unknown>, 'actor' | 'newId'>

/** The answer given to this request before, or undefined for a first time. */
export async function answerBefore<T, A>(tx: Tx, ask: Ask<T, A>): Promise<A | undefined> {
  const before = await findAnswer(tx, ask.key)
  return before === undefined ? undefined : ask.codec.decode(before)
}

/** The answer for an outcome, remembered beside its effect. */
export async function rememberOutcome<T, A>(tx: Tx, ask: Ask<T, A>, outcome: T): Promise<A> {
  const answer = ask.answer(outcome)
  await rememberAnswer(tx, ask.key, ask.codec.encode(answer).finish())
  return answer
}

/**
 * Looks a remembered answer up before work outside the database, so that a repeat needs nobody
 * else; undefined for a first time. Fails with InvalidInput KEY_REUSED.
 */
export async function readAnswer<T, A>(db: PrimaryDb, ask: Ask<T, A>): Promise<A | undefined> {
  return db.transaction(async (tx) => answerBefore(tx, ask))
}

const readClock = sql<{ now: Date }>('seller.clock', 'SELECT now() AS now')

/** The time of the transaction by the database's clock, which decides about limits of time. */
export async function timeOf(tx: Tx): Promise<Date> {
  const row = (await tx.query(readClock)).rows[0]
  if (row === undefined) throw new Error('The database did not tell its time.')
  return row.now
}

/** The failure for a seller that is missing or somebody else's. */
export function sellerNotFound(): NotFound {
  return new NotFound('SELLER_NOT_FOUND', 'There is no such seller.')
}
