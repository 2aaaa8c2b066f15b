import {
  type AccountId,
  type GuestId,
  NotFound,
  type SessionId,
  Unauthenticated,
} from '@holdfast/kernel'
import type { SessionServiceDefinition } from '@holdfast/proto/session'
import {
  type CallContext,
  type Caller,
  type PublicJwk,
  type RequestKeyOfCall,
  type RpcHandlers,
  principalsOf,
} from '@holdfast/rpc'
import type { SessionRecord } from './domain.ts'
import { parseCursor } from './domain-revocation.ts'
import { requestIdHash } from './domain-token.ts'
import type { schemas } from './schema.ts'
import { type LogInParts, logIn, register } from './service-log-in.ts'
import {
  clockJumped,
  forgetCopy,
  proveRefreshToken,
  refreshCopy,
  refreshSession,
} from './service-refresh.ts'
import type { TokenIssuer } from './service-tokens.ts'
import {
  accountMessage,
  endCauseMessage,
  keyMessage,
  membershipMessage,
  revocationMessage,
  sessionMessage,
} from './service-wire.ts'
import type { RevocationReader } from './store-revocation.ts'

/** What the handlers work with, given by the composition root. */
export interface SessionParts extends LogInParts {
  readonly issuer: TokenIssuer
  readonly revocations: RevocationReader
  /** Public halves of the signing keys, the signing one first. */
  readonly publicKeys: readonly PublicJwk[]
  readonly newGuestId: () => GuestId
}

type Handlers = RpcHandlers<SessionServiceDefinition, typeof schemas>

/** Revocations of one answer when the caller names no number. */
const PAGE_SIZE_DEFAULT = 1_000

/** How long a key set may be used without asking again. */
const KEY_SET_LIFE = { seconds: 60n, nanos: 0 }

/** The RPCs of SessionService: each finds out who asks, calls one store function and encodes. */
export function createHandlers(parts: SessionParts): Handlers {
  return {
    ...startHandlers(parts),
    ...endHandlers(parts),
    ...readHandlers(parts),
    ...peerHandlers(parts),
  }
}

function startHandlers(parts: SessionParts) {
  const { db, store, copies, issuer } = parts
  return {
    createGuestSession: async (request, call) => {
      const record = await store.startGuestSession(db, call.requestKey(request.requestId), {
        sessionId: parts.newSessionId(),
        guestId: parts.newGuestId(),
        actAs: { audience: 'BUYER' },
        salt: parts.newSalt(),
        secretVersion: parts.secrets[0].version,
        deviceName: request.deviceName,
      })
      refreshCopy(copies, record)
      return { session: sessionMessage(record), tokens: await issuer.issue(record) }
    },
    registerAccount: async (request, call) => {
      const account = await register(parts, call.requestKey(request.requestId), request)
      return { account: accountMessage(account) }
    },
    logIn: async (request, call) => {
      const done = await logIn(parts, call.requestKey(request.requestId), request)
      return {
        session: sessionMessage(done.record),
        tokens: await issuer.issue(done.record),
        account: accountMessage(done.account),
        memberships: done.memberships.map(membershipMessage),
      }
    },
    refreshSession: async (request, call) => {
      const record = await refreshSession(parts, {
        refreshToken: request.refreshToken,
        actAs: request.actAs,
        request: {
          requestHash: requestIdHash(request.requestId),
          contentHash: call.requestKey(request.requestId).requestHash,
        },
      })
      return { session: sessionMessage(record), tokens: await issuer.issue(record) }
    },
  } satisfies Partial<Handlers>
}

function endHandlers(parts: SessionParts) {
  const { db, store, copies } = parts
  return {
    logOut: async (request, call) => {
      const sessionId =
        request.refreshToken === ''
          ? ownSession(call.caller)
          : (await proveRefreshToken(parts, request.refreshToken)).sessionId
      const key = keyForSession(call, request.requestId, sessionId)
      const record = await store.logOut(db, { key, actor: key.principals[0], sessionId })
      parts.onRevoked()
      forgetCopy(copies, record)
      return { session: sessionMessage(record) }
    },
    revokeAllSessions: async (request, call) => {
      const { caller } = call
      const own = accountOfCaller(caller)
      const accountId = request.accountId ?? own
      // I17: another's account and a missing one answer alike.
      if (accountId === undefined || (accountId !== own && caller.kind !== 'operator')) {
        throw new NotFound('ACCOUNT_NOT_FOUND', 'There is no such account.')
      }
      const key = call.requestKey(request.requestId)
      const actor = principalsOf(caller)[0]
      const done = await store.revokeAllSessions(db, { key, actor, accountId })
      parts.onRevoked()
      return {
        account: accountMessage(done.account),
        minimumGeneration: BigInt(done.generationMin),
        revokeTime: done.revokedAt,
      }
    },
  } satisfies Partial<Handlers>
}

function readHandlers(parts: SessionParts) {
  const { db, store } = parts
  return {
    getSession: async (request, { caller }) => {
      const record = await store.readSession(db, request.sessionId ?? ownSession(caller))
      // I17: another's session and a missing one answer alike.
      if (record === undefined || !mayRead(caller, record)) {
        throw new NotFound('SESSION_NOT_FOUND', 'There is no such session.')
      }
      const session = sessionMessage(record)
      const { accountId } = record.session
      if (accountId === undefined) return { session, account: undefined, memberships: [] }
      const { account, memberships } = await store.readAccount(db, accountId)
      return {
        session,
        account: accountMessage(account),
        memberships: memberships.map(membershipMessage),
      }
    },
    getKeySet: async () => ({
      keys: parts.publicKeys.map(keyMessage),
      maxAge: KEY_SET_LIFE,
    }),
  } satisfies Partial<Handlers>
}

function peerHandlers(parts: SessionParts) {
  const { db, store, revocations } = parts
  return {
    validateSession: async (request) => {
      const life = await store.readSessionLife(db, request)
      if (life.isExpiredOnly && !parts.isSteady(life.asOf)) throw clockJumped()
      return {
        alive: life.isAlive,
        endCause: endCauseMessage(life.endCause),
        asOfTime: life.asOf,
      }
    },
    listRevocations: async (request) => {
      const pageSize = request.pageSize === 0 ? PAGE_SIZE_DEFAULT : request.pageSize
      const page = await revocations.read(parseCursor(request.cursor), pageSize)
      return {
        revocations: page.rows.map(revocationMessage),
        nextCursor: page.cursor,
        more: page.hasMore,
        asOfTime: page.asOf,
      }
    },
    grantMembership: async (request, call) => {
      const asked = {
        key: call.requestKey(request.requestId),
        actor: principalsOf(call.caller)[0],
      }
      return { membership: membershipMessage(await store.grantMembership(db, asked, request)) }
    },
  } satisfies Partial<Handlers>
}

function ownSession(caller: Caller): SessionId {
  if (caller.kind !== 'anonymous' && caller.kind !== 'service') return caller.sessionId
  throw new Unauthenticated('TOKEN_MISSING', 'Send an access token or a refresh token.')
}

function accountOfCaller(caller: Caller): AccountId | undefined {
  return caller.kind === 'anonymous' || caller.kind === 'service' ? undefined : caller.accountId
}

function mayRead(caller: Caller, { session }: SessionRecord): boolean {
  if (caller.kind === 'operator') return true
  if (caller.kind === 'anonymous' || caller.kind === 'service') return false
  if (caller.accountId === undefined) return session.sessionId === caller.sessionId
  return session.accountId === caller.accountId
}

/**
 * Who shows a refresh token speaks for its session; ids of other anonymous callers do not matter.
 */
function keyForSession(
  call: CallContext,
  requestId: string,
  sessionId: SessionId,
): RequestKeyOfCall {
  const key = call.requestKey(requestId)
  if (call.caller.kind !== 'anonymous') return key
  return { ...key, principals: [`session:${sessionId}`] }
}
