import { type Clock, parseId, unreachable } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import {
  type Revocation as RevocationMessage,
  SessionServiceDefinition,
  type VerificationKey,
} from '@holdfast/proto/session'
import type { ServiceTokenSource } from './auth.ts'
import { type PublicKeySet, parsePublicKeySet } from './auth-keys.ts'
import type { Revocation, RevocationSource } from './auth-revocations.ts'
import { createRpcClient } from './client.ts'

/** Most revocations of one answer, about 50 KB; a poll normally finds none. */
const PAGE_SIZE = 1_000

/** Longest wait for one call; the authenticator's own limits are shorter. */
const CALL_TIMEOUT_MS = 1_000

/** The session service over gRPC, as every service but session itself learns of revocations. */
export function createSessionSource(options: {
  /** `host:port` of each copy of the session service. */
  readonly addresses: readonly string[]
  readonly tokens: ServiceTokenSource
  readonly clock: Clock
  readonly log: Logger
}): RevocationSource & AsyncDisposable {
  const client = createRpcClient({
    definition: SessionServiceDefinition,
    to: 'session',
    addresses: options.addresses,
    tokens: options.tokens,
    // The poll is itself a loop that runs again, and each of its turns is a probe already.
    retries: 'none',
    breaker: 'off',
    timeoutMs: CALL_TIMEOUT_MS,
    clock: options.clock,
    log: options.log,
  })
  return {
    listRevocations: async (cursor, scope) => {
      const request = { cursor: cursor ?? '', pageSize: PAGE_SIZE }
      const answer = await client.listRevocations(request, scope)
      const revocations = answer.revocations.flatMap(revocationOf)
      return { revocations, cursor: answer.nextCursor, hasMore: answer.more }
    },
    getKeySet: async (scope) => keySetOf((await client.getKeySet({}, scope)).keys),
    validateSession: async ({ sessionId, account }, scope) => {
      const { alive } = await client.validateSession(
        {
          sessionId,
          accountId: account?.accountId ?? '',
          accountGeneration: BigInt(account?.generation ?? 0),
        },
        scope,
      )
      return alive ? 'live' : 'ended'
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}

/** What a message revokes; nothing for a kind that a newer session service knows and we do not. */
function revocationOf({ subject }: RevocationMessage): readonly Revocation[] {
  switch (subject?.$case) {
    case 'sessionId':
      return [{ kind: 'session', sessionId: parseId('session', subject.value, 'session_id') }]
    case 'account': {
      const accountId = parseId('account', subject.value.accountId, 'account_id')
      const generationMin = Number(subject.value.minimumGeneration)
      return [{ kind: 'account', accountId, generationMin }]
    }
    case undefined:
      return []
    default:
      return unreachable(subject)
  }
}

function keySetOf(keys: readonly VerificationKey[]): PublicKeySet {
  return parsePublicKeySet({ keys })
}
