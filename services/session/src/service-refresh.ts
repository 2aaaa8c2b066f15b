import {
  Conflict,
  InvalidInput,
  type SessionId,
  Unauthenticated,
  Unavailable,
  unreachable,
} from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { SessionCopies } from './cache.ts'
import { type ActAs, type EndCause, type SessionRecord, endOf, mayActAs } from './domain.ts'
import {
  type RefreshRequest,
  type RefreshSecrets,
  type RefreshToken,
  decideRefresh,
  isGenuine,
  parseRefreshToken,
} from './domain-token.ts'
import type * as stores from './store.ts'
import { powerMissing, unknownSecret } from './service-tokens.ts'
import { refreshCounter } from './telemetry.ts'

/** Bound on tries of one refresh: each is lost only to another refresh that won. */
const ROTATIONS_MAX = 3

/** What refreshing works with. */
export interface RefreshParts {
  readonly db: PrimaryDb
  readonly store: typeof stores
  readonly copies: SessionCopies
  readonly secrets: RefreshSecrets
  /** False while the database's clock seems to have jumped: then nothing counts as expired. */
  readonly isSteady: (asOf: Date) => boolean
  /** Called after a revocation is committed. */
  readonly onRevoked: () => void
}

/** A refresh token shown with what is asked for it. */
export interface RefreshAsk {
  readonly refreshToken: string
  readonly actAs: ActAs | undefined
  readonly request: RefreshRequest
}

/**
 * The session one step on, or where it is when this token's step was made before. Fails with
 * Unauthenticated TOKEN_INVALID or SESSION_ENDED, and with Forbidden ROLE_REQUIRED.
 */
export async function refreshSession(parts: RefreshParts, ask: RefreshAsk): Promise<SessionRecord> {
  const token = await proveRefreshToken(parts, ask.refreshToken)
  if (ask.actAs !== undefined) await requirePower(parts, token.sessionId, ask.actAs)
  const record = await step(parts, token, ask)
  // Each read of the database's time keeps the guard's idea of it fresh.
  parts.isSteady(record.asOf)
  refreshCopy(parts.copies, record)
  return record
}

/**
 * The parts of a refresh token that one of our secrets made. The salt may come from a copy, which
 * can lack or hold anything: only the primary's word makes a token invalid (I15).
 */
export async function proveRefreshToken(
  parts: Pick<RefreshParts, 'db' | 'store' | 'copies' | 'secrets'>,
  text: string,
): Promise<RefreshToken> {
  const { db, store, copies, secrets } = parts
  const token = parseRefreshToken(text)
  if (token === undefined) throw invalidRefreshToken()
  const { sessionId } = token
  const cached = await copies.read(sessionId)
  if (cached.kind === 'hit' && isGenuine(token, cached.value.salt, secrets)) return token
  const record = await store.readSession(db, sessionId)
  if (record === undefined) throw invalidRefreshToken()
  refreshCopy(copies, record)
  if (isGenuine(token, record.seed.salt, secrets)) return token
  const { secretVersion } = record.seed
  if (!secrets.some(({ version }) => version === secretVersion)) throw unknownSecret()
  throw invalidRefreshToken()
}

async function step(
  parts: RefreshParts,
  token: RefreshToken,
  ask: RefreshAsk,
): Promise<SessionRecord> {
  const { db, store, secrets } = parts
  const { sessionId, generation } = token
  const secretVersion = secrets[0].version
  let from = generation
  for (let turn = 0; turn < ROTATIONS_MAX; turn += 1) {
    const to = generation + 1
    const { actAs, request } = ask
    const rotation = { sessionId, from, to, secretVersion, actAs, request }
    const rotated = await store.rotateSession(db, rotation)
    if (rotated !== undefined) return counted('rotate', rotated)
    const record = await store.readSession(db, sessionId)
    if (record === undefined) throw invalidRefreshToken()
    const decision = decideRefresh(record, generation, ask.request)
    switch (decision.kind) {
      case 'rotate':
        from = record.seed.generation
        break
      case 'replay':
        return counted('replay', await withIdentity(parts, record, actAs))
      case 'reuse':
        throw await endForReuse(parts, token)
      case 'ended':
        throw await ended(parts, record, decision.cause)
      case 'key-reused':
        throw keyReused()
      default:
        return unreachable(decision)
    }
  }
  const text = 'This session is being refreshed elsewhere; try again.'
  throw new Conflict('KEY_IN_PROGRESS', text)
}

function counted(outcome: string, record: SessionRecord): SessionRecord {
  refreshCounter.add(1, { outcome })
  return record
}

/** A repeat that asks for another identity gets it: the newest wish counts, the token stays. */
async function withIdentity(
  parts: RefreshParts,
  record: SessionRecord,
  actAs: ActAs | undefined,
): Promise<SessionRecord> {
  if (actAs === undefined || isSameIdentity(actAs, record.session.actAs)) return record
  const { sessionId } = record.session
  const { generation } = record.seed
  const changed = await parts.store.changeIdentity(parts.db, { sessionId, generation, actAs })
  if (changed !== undefined) return changed
  throw new Conflict('KEY_IN_PROGRESS', 'This session is being refreshed elsewhere; try again.')
}

function isSameIdentity(left: ActAs, right: ActAs): boolean {
  if (left.audience !== right.audience) return false
  return (
    left.audience !== 'SELLER' || right.audience !== 'SELLER' || left.sellerId === right.sellerId
  )
}

/** Ends a live session for which a token two or more generations old is shown, and fails. */
export async function refuseOldToken(parts: RefreshParts, token: RefreshToken): Promise<void> {
  const record = await parts.store.readSession(parts.db, token.sessionId)
  if (record === undefined || endOf(record.session, record.asOf) !== undefined) return
  if (token.generation < record.seed.generation - 1) throw await endForReuse(parts, token)
}

async function endForReuse(parts: RefreshParts, token: RefreshToken): Promise<Unauthenticated> {
  refreshCounter.add(1, { outcome: 'reuse' })
  const { sessionId, generation } = token
  const record = await parts.store.endForReuse(parts.db, { sessionId, shown: generation })
  parts.onRevoked()
  if (record !== undefined) forgetCopy(parts.copies, record)
  return sessionEnded()
}

async function ended(
  parts: RefreshParts,
  record: SessionRecord,
  cause: EndCause,
): Promise<Unauthenticated> {
  const { sessionId, state } = record.session
  if (state === 'ACTIVE' && !parts.isSteady(record.asOf)) throw clockJumped()
  refreshCounter.add(1, { outcome: 'ended' })
  if (state === 'ACTIVE') {
    const end = { sessionId, cause, actor: 'service:session' }
    await parts.store.endSession(parts.db, end)
    parts.onRevoked()
  }
  forgetCopy(parts.copies, record)
  return sessionEnded()
}

async function requirePower(
  parts: RefreshParts,
  sessionId: SessionId,
  actAs: ActAs,
): Promise<void> {
  const sellerId = actAs.audience === 'SELLER' ? actAs.sellerId : undefined
  const power = await parts.store.readPower(parts.db, sessionId, sellerId)
  if (!mayActAs(actAs, power)) throw powerMissing()
}

/** Stores what a later refresh needs; nobody waits for it, and losing it costs one read. */
export function refreshCopy(copies: SessionCopies, record: SessionRecord): void {
  const { sessionId, version } = record.session
  void copies.store(sessionId, { version, value: { salt: record.seed.salt } })
}

/** Leaves a tombstone where the copy was. */
export function forgetCopy(copies: SessionCopies, record: SessionRecord): void {
  void copies.remove(record.session.sessionId, record.session.version + 1n)
}

function invalidRefreshToken(): Unauthenticated {
  return new Unauthenticated('TOKEN_INVALID', 'The refresh token is not valid; log in again.')
}

/** A clock that jumped must not end every session at once. */
export function clockJumped(): Unavailable {
  return new Unavailable(
    'SESSION_UNVERIFIED',
    'Whether this session has expired cannot be told now; try again.',
  )
}

function sessionEnded(): Unauthenticated {
  return new Unauthenticated('SESSION_ENDED', 'This session has ended; log in again.')
}

function keyReused(): InvalidInput {
  return new InvalidInput(
    'This request_id was used before with other content; use a new one for a new request.',
    [{ field: 'request_id', description: 'was used before with other content' }],
    'KEY_REUSED',
  )
}
