import type { SessionId } from '@holdfast/kernel'
import {
  type RequestKey,
  type Tx,
  findAnswer,
  rememberAnswer,
  requestKeyHash,
  sql,
} from '@holdfast/pg'
import { sessionIdCodec } from './store-row.ts'

/**
 * How long an anonymous request is remembered: whoever knows its random id gets its answer, so no
 * longer than a lost answer is worth.
 */
const ANONYMOUS_KEY_LIFE = '10 minutes'

const dropExpired = sql(
  'session.request_key.drop_expired',
  'DELETE FROM request_key WHERE key = $1 AND expires_at <= now()',
)

/** The session that this request made before, or undefined. Fails with KEY_REUSED. */
export async function findSessionAnswer(tx: Tx, key: RequestKey): Promise<SessionId | undefined> {
  const answer = await findAnswer(tx, key)
  return answer === undefined ? undefined : sessionIdCodec.decode(answer)
}

/** Remembers which session a request made; its tokens are recomputed, never stored. */
export async function rememberSession(
  tx: Tx,
  key: RequestKey,
  sessionId: SessionId,
): Promise<void> {
  await rememberAnonymous(tx, key, sessionIdCodec.encode(sessionId).finish())
}

/** Remembers an anonymous request's answer for 10 minutes. */
export async function rememberAnonymous(
  tx: Tx,
  key: RequestKey,
  answer: Uint8Array,
): Promise<void> {
  // A key past its life may still lie there, and would stand in the way of its own id.
  await tx.query(dropExpired, [requestKeyHash(key.principals[0], key.method, key.requestId)])
  await rememberAnswer(tx, key, answer, ANONYMOUS_KEY_LIFE)
}
