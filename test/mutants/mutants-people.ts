import type { Mutant, Proof } from './mutant.ts'

const AUTHENTICATOR = 'packages/rpc/src/auth-authenticator.ts'
const SESSION = 'services/session/src'

function rpcTest(file: string, test: string): Proof {
  return { suite: 'unit', file: `packages/rpc/src/${file}`, test }
}

function sessionTest(file: string, test: string): Proof {
  return { suite: 'integration', file: `services/session/test/${file}`, test }
}

/** Faults in who is let in, who sees what, and what must stay unsaid. */
export const PEOPLE_MUTANTS: readonly Mutant[] = [
  {
    name: 'sessions live in Redis alone',
    invariant: 'I15',
    places: [
      {
        file: `${SESSION}/service-refresh.ts`,
        find: 'const cached = await copies.read(sessionId)',
        replace: `const cached = await copies.read(sessionId)
  if (cached.kind !== 'hit') throw invalidRefreshToken()`,
      },
    ],
    proof: sessionTest('outage.test.ts', 'I15: Redis is used, and wiping it'),
  },
  {
    name: 'an answer about revocations that never came ends sessions',
    invariant: 'I15',
    places: [
      {
        file: AUTHENTICATOR,
        find: 'throw sessionsUnavailable(error)',
        replace: 'throw endedSession()',
      },
    ],
    proof: rpcTest('auth-revocations.test.ts', 'I15: an account token is Unavailable'),
  },
  {
    name: 'two refreshes at once make two successors',
    invariant: 'I16',
    places: [
      {
        file: `${SESSION}/store-session.ts`,
        find: "s.generation = $2 AND s.state = 'ACTIVE'\n     AND now()",
        replace: "$2::int > 0 AND s.state = 'ACTIVE'\n     AND now()",
      },
      {
        file: `${SESSION}/store-session.ts`,
        find: 'generation = $3, version = s.version + 1',
        replace: 'generation = s.generation + least(1, $3::int), version = s.version + 1',
      },
    ],
    proof: sessionTest('refresh.test.ts', 'I16: 50 refreshes at once over two processes'),
  },
  {
    name: 'a stolen refresh token is answered for ever',
    invariant: 'I16',
    places: [
      {
        file: `${SESSION}/domain-token.ts`,
        find: "return presented === newest - 1 ? { kind: 'replay' } : { kind: 'reuse' }",
        replace: "return { kind: 'replay' }",
      },
    ],
    proof: {
      suite: 'unit',
      file: `${SESSION}/domain-token.test.ts`,
      test: ', shown ',
    },
  },
  {
    name: 'what is revoked is read and not looked at',
    invariant: 'I16',
    places: [
      {
        file: AUTHENTICATOR,
        find: 'if (revocations.isRevoked(user)) throw endedSession()',
        replace: '',
      },
    ],
    proof: rpcTest('auth-revocations.test.ts', 'I16: a revoked session is refused after the next'),
  },
  {
    name: 'knowledge of revocations is good for ever',
    invariant: 'I16',
    places: [
      {
        file: 'packages/rpc/src/auth-revocations.ts',
        find: 'hasLease: () => clock.monotonicMs() < leaseUntilMs,',
        replace: 'hasLease: () => leaseUntilMs > Number.NEGATIVE_INFINITY,',
      },
    ],
    proof: rpcTest('auth-revocations.test.ts', 'I16: a lapsed lease and an ended session'),
  },
  {
    name: 'a stream that was let in is asked no more',
    invariant: 'I16',
    places: [
      {
        file: 'packages/rpc/src/stream-token.ts',
        find: 'await authenticator.authenticate(authorization, time.scope)',
        replace: '',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'packages/rpc/test/stream-token.test.ts',
      test: 'I16: the stream of',
    },
  },
  {
    name: "a seller's member passes for the member of any seller",
    invariant: 'I17',
    places: [
      {
        file: 'packages/rpc/src/access.ts',
        find: "if (caller.kind === 'seller' && caller.sellerId === sellerId) return",
        replace: "if (caller.kind === 'seller') return",
      },
    ],
    proof: rpcTest('access.test.ts', "I17: another seller's member meets"),
  },
  {
    name: 'a page token is good for every caller',
    invariant: 'I17',
    places: [
      {
        file: 'packages/rpc/src/page-token.ts',
        find: 'JSON.stringify([payload, scope.principal, scope.method, scope.filter])',
        replace: 'JSON.stringify([payload, scope.method, scope.filter])',
      },
    ],
    proof: rpcTest('page-token.test.ts', 'I17: a token is worthless to another caller'),
  },
  {
    name: 'a hold is found by its id alone, whoever asks',
    invariant: 'I17',
    places: [
      {
        file: 'services/inventory/src/store-hold.ts',
        find: 'const isOther = row !== undefined && row.order_id !== uuidOf(verb.orderId)',
        replace: 'const isOther = false',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'services/inventory/test/holds.test.ts',
      test: 'I17: another order and another seller',
    },
  },
  {
    name: 'log fields are written whatever they are called',
    invariant: 'I23',
    places: [
      {
        file: 'packages/telemetry/src/redact.ts',
        find: "else if (!isAllowedName(name)) written['withheld'] = true",
        replace: '',
      },
    ],
    proof: {
      suite: 'unit',
      file: 'packages/telemetry/src/redact.test.ts',
      test: 'I23: a field called',
    },
  },
  {
    name: 'the cause of a bug is told to the caller',
    invariant: 'I23',
    places: [
      {
        file: 'packages/rpc/src/status.ts',
        find: 'message: `Something broke here; report it with incident ${incidentId}.`,',
        replace: 'message: `${String(error)} (incident ${incidentId})`,',
      },
    ],
    proof: rpcTest('status.test.ts', 'I23: the cause never leaves'),
  },
  {
    name: 'a card number in free text is taken',
    invariant: 'I23',
    places: [
      {
        file: 'packages/rpc/src/validate.ts',
        find: 'return text.refine((value) => !holdsCardNumber(value), CARD_NUMBER_REFUSAL)',
        replace: 'return text',
      },
    ],
    proof: rpcTest('validate.test.ts', 'I23: a card number has a reason of its own'),
  },
  {
    name: 'a sealed value is opened without an audit row',
    invariant: 'I24',
    places: [
      {
        file: 'packages/vault/src/vault.ts',
        find: 'await writeOpening(tx, { place, opener, keyVersion: wrapped.keyVersion })',
        replace: 'void [writeOpening, opener]',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'packages/vault/test/vault.test.ts',
      test: 'I24: what is sealed opens in its place',
    },
  },
]
