import { unreachable } from '@holdfast/kernel'
import {
  Audience,
  type Account as AccountMessage,
  type Membership as MembershipMessage,
  type Revocation as RevocationMessage,
  SellerRole,
  Session_EndCause,
  Session_State,
  type Session as SessionMessage,
  type VerificationKey,
} from '@holdfast/proto/session'
import { type PublicJwk, USER_TOKEN_LIFETIME_MS } from '@holdfast/rpc'
import { type Account, type Membership, type SessionRecord, endOf } from './domain.ts'
import type { RevocationRow } from './domain-revocation.ts'

/**
 * A session as the wire has it; one that reached its limit is over, whether or not it was swept.
 */
export function sessionMessage({ session, role, asOf }: SessionRecord): SessionMessage {
  const cause = endOf(session, asOf)
  const { actAs } = session
  const isSeller = actAs.audience === 'SELLER'
  return {
    sessionId: session.sessionId,
    state: cause === undefined ? Session_State.ACTIVE : Session_State.ENDED,
    version: session.version,
    accountId: session.accountId ?? '',
    guestId: session.guestId ?? '',
    audience: Audience[actAs.audience],
    sellerId: isSeller ? actAs.sellerId : '',
    role: isSeller && role !== undefined ? SellerRole[role] : SellerRole.UNSPECIFIED,
    deviceName: session.deviceName,
    endCause: cause === undefined ? Session_EndCause.UNSPECIFIED : Session_EndCause[cause],
    createTime: session.createdAt,
    refreshTime: session.refreshedAt,
    idleExpireTime: session.idleExpiresAt,
    expireTime: session.expiresAt,
    endTime: session.endedAt,
  }
}

/** An account as the wire has it. */
export function accountMessage(account: Account): AccountMessage {
  return {
    accountId: account.accountId,
    email: account.email,
    displayName: account.displayName,
    operator: account.isOperator,
    version: account.version,
    createTime: account.createdAt,
    updateTime: account.updatedAt,
  }
}

/** A membership as the wire has it. */
export function membershipMessage(membership: Membership): MembershipMessage {
  return {
    accountId: membership.accountId,
    sellerId: membership.sellerId,
    role: SellerRole[membership.role],
    version: membership.version,
    createTime: membership.createdAt,
    updateTime: membership.updatedAt,
  }
}

/** The end cause a store's word stands for. */
export function endCauseMessage(cause: string | undefined): Session_EndCause {
  const found = Object.entries(Session_EndCause).find(([name]) => name === cause)
  return found?.[1] ?? Session_EndCause.UNSPECIFIED
}

/** After this no token can be alive that a revocation speaks of: its life and the clocks' skew. */
const FORGET_AFTER_MS = USER_TOKEN_LIFETIME_MS + 2 * 60_000

/** A revocation as the wire has it. */
export function revocationMessage({ subject, revokedAt }: RevocationRow): RevocationMessage {
  const times = {
    revokeTime: revokedAt,
    forgetTime: new Date(revokedAt.getTime() + FORGET_AFTER_MS),
  }
  switch (subject.kind) {
    case 'session':
      return { subject: { $case: 'sessionId', value: subject.sessionId }, ...times }
    case 'account': {
      const { accountId, generationMin } = subject
      const value = { accountId, minimumGeneration: BigInt(generationMin) }
      return { subject: { $case: 'account', value }, ...times }
    }
    default:
      return unreachable(subject)
  }
}

/** A public key as the wire has it. */
export function keyMessage({ kid, kty, crv, x }: PublicJwk): VerificationKey {
  return { kid, kty, crv, x, alg: 'EdDSA', use: 'sig' }
}
