import { Forbidden, Unavailable, unreachable } from '@holdfast/kernel'
import type { TokenPair } from '@holdfast/proto/session'
import { USER_TOKEN_LIFETIME_MS, type UserTokenSigner, type UserTokenSubject } from '@holdfast/rpc'
import { type MemberRole, OPERATOR_LIFE_MS, type SessionRecord } from './domain.ts'
import { type RefreshSecrets, refreshTokenOf } from './domain-token.ts'

/** Makes the tokens of a session from its row, again and again the same. */
export interface TokenIssuer {
  /** Fails with Forbidden ROLE_REQUIRED when the account may not act so any more. */
  issue(record: SessionRecord): Promise<TokenPair>
}

/**
 * With less of its life left a repeated access token would be of little use, so it is made anew.
 */
const LEFT_MS_MIN = USER_TOKEN_LIFETIME_MS / 2

/** Access tokens by `signer`, refresh tokens by `secrets`. */
export function createTokenIssuer(options: {
  readonly signer: UserTokenSigner
  readonly secrets: RefreshSecrets
}): TokenIssuer {
  const { signer, secrets } = options
  return {
    issue: async (record) => {
      const { session, seed, asOf } = record
      const ageMs = asOf.getTime() - seed.issuedAt.getTime()
      const issuedAt = ageMs <= USER_TOKEN_LIFETIME_MS - LEFT_MS_MIN ? seed.issuedAt : asOf
      const access = await signer.sign(subjectOf(record), issuedAt)
      const refreshToken = refreshTokenOf(session.sessionId, seed, secrets)
      if (refreshToken === undefined) throw unknownSecret()
      return {
        accessToken: access.token,
        accessExpireTime: access.expiresAt,
        refreshToken,
        refreshExpireTime: session.idleExpiresAt,
      }
    },
  }
}

/** A process that has not been given a secret yet, or any more, that another one uses. */
export function unknownSecret(): Unavailable {
  return new Unavailable(
    'SESSION_UNVERIFIED',
    'This session cannot be checked by this copy of the service; try again.',
  )
}

/** The failure for an identity that the account does not have. */
export function powerMissing(): Forbidden {
  return new Forbidden(
    'ROLE_REQUIRED',
    'This account may not act so; choose another identity or ask the owner for a role.',
  )
}

function subjectOf(record: SessionRecord): UserTokenSubject {
  const { sessionId, accountId, guestId, actAs } = record.session
  if (accountId === undefined) {
    if (guestId === undefined) throw powerMissing()
    return { actAs: 'guest', sessionId, guestId }
  }
  const account = { sessionId, accountId, accountGeneration: record.accountGeneration }
  switch (actAs.audience) {
    case 'BUYER':
      return { actAs: 'buyer', ...account, guestId }
    case 'SELLER': {
      if (record.role === undefined) throw powerMissing()
      const role = ROLE_CLAIMS[record.role]
      return { actAs: 'seller', ...account, sellerId: actAs.sellerId, role }
    }
    case 'OPERATOR':
      if (!record.isOperator) throw powerMissing()
      if (isShiftOver(record)) throw shiftOver()
      return { actAs: 'operator', ...account }
    default:
      return unreachable(actAs)
  }
}

const ROLE_CLAIMS = {
  OWNER: 'owner',
  MANAGER: 'manager',
  VIEWER: 'viewer',
} as const satisfies Record<MemberRole, string>

function isShiftOver({ session, asOf }: SessionRecord): boolean {
  return asOf.getTime() - session.createdAt.getTime() > OPERATOR_LIFE_MS
}

function shiftOver(): Forbidden {
  return new Forbidden('ROLE_REQUIRED', 'To act as an operator again, log in again.')
}
