import type { Mutant, Proof } from './mutant.ts'

const REQUEST_KEYS = 'packages/pg/src/request-key.ts'
const DATABASE = 'packages/pg/src/db.ts'
const RPC = 'packages/rpc'
const OUTBOX = 'packages/outbox'

function requestKeyTest(test: string): Proof {
  return { suite: 'integration', file: 'packages/pg/test/request-key.test.ts', test }
}

function transactionTest(test: string): Proof {
  return { suite: 'integration', file: 'packages/pg/test/transaction.test.ts', test }
}

function rpcUnit(file: string, test: string): Proof {
  return { suite: 'unit', file: `${RPC}/src/${file}`, test }
}

function rpcTest(file: string, test: string): Proof {
  return { suite: 'integration', file: `${RPC}/test/${file}`, test }
}

function outboxTest(file: string, test: string): Proof {
  return { suite: 'integration', file: `${OUTBOX}/test/${file}`, test }
}

/** Faults in what all services are built with. */
export const PACKAGE_MUTANTS: readonly Mutant[] = [
  {
    name: 'an answer is not remembered, so a repeat has its effect again',
    invariant: 'I6',
    places: [
      {
        file: REQUEST_KEYS,
        find: '  await rememberAnswer(tx, key, codec.encode(answer).finish())\n',
        replace: '',
      },
    ],
    proof: requestKeyTest('I6: a repeat gets the first answer'),
  },
  {
    name: 'the content of a request is not compared with that of the first',
    invariant: 'I6',
    places: [
      {
        file: REQUEST_KEYS,
        find: 'if (Buffer.compare(row.request_hash, key.requestHash) !== 0) throw keyReused()',
        replace: '',
      },
    ],
    proof: requestKeyTest('I6: the same id with other content'),
  },
  {
    name: 'a request key does not say whose it is',
    invariant: 'I17',
    places: [
      {
        file: REQUEST_KEYS,
        find: 'for (const part of [principal, method, requestId]) {',
        replace: 'for (const part of [method, requestId]) {',
      },
    ],
    proof: requestKeyTest('I17: the same id of another principal'),
  },
  {
    name: 'of two first tries that meet, the slower one goes on',
    invariant: 'I6',
    places: [
      {
        file: REQUEST_KEYS,
        find: 'if (rowCount !== 1) throw new RunAgain(',
        replace: 'if (rowCount > 1) throw new RunAgain(',
      },
    ],
    proof: requestKeyTest('I6: 50 first tries at once'),
  },
  {
    name: 'an answer is deleted although it was just given again',
    invariant: 'I6',
    places: [{ file: REQUEST_KEYS, find: ' FOR UPDATE SKIP LOCKED', replace: '' }],
    proof: requestKeyTest('I6: an answer given again while its purge is under way'),
  },
  {
    name: 'a COMMIT that the server answered with ROLLBACK counts as done',
    invariant: 'I7',
    places: [
      { file: DATABASE, find: "if (tag !== 'COMMIT') {", replace: "if (tag === 'never') {" },
    ],
    proof: transactionTest('I7: COMMIT that answers ROLLBACK'),
  },
  {
    name: 'a transaction lost at COMMIT is told as not done',
    invariant: 'I27',
    places: [
      {
        file: DATABASE,
        find: 'throw isRefused ? error : outcomeUnknown(error)',
        replace: 'throw isRefused ? error : databaseAway(error)',
      },
    ],
    proof: transactionTest('I27: a server lost during COMMIT'),
  },
  {
    name: 'an answer that was lost is told as a call that was not made',
    invariant: 'I8',
    places: [
      {
        file: `${RPC}/src/client-failure.ts`,
        find: 'if (failure instanceof OutcomeUnknown && READING_NAMES.test(about.method)) return',
        replace: 'if (failure instanceof OutcomeUnknown) return',
      },
    ],
    proof: rpcUnit('client-failure.test.ts', 'I8: a call that was never sent is not done'),
  },
  {
    name: 'a lost call without a request id is made again',
    invariant: 'I6',
    places: [
      {
        file: `${RPC}/src/client-call.ts`,
        find: '&& !hasRequestId(one.request)) return false',
        replace: '&& !hasRequestId(one.request)) void 0',
      },
    ],
    proof: rpcTest('client.test.ts', 'I6: a lost try without a request_id'),
  },
  {
    name: 'a call is tried again at two layers',
    invariant: 'I22',
    places: [
      {
        file: `${RPC}/src/client-call.ts`,
        find: "if (calls.retries === 'none' || attemptNumber >= ATTEMPTS_MAX) return false",
        replace: 'if (attemptNumber >= ATTEMPTS_MAX) return false',
      },
    ],
    proof: rpcTest('client.test.ts', 'law 7: nothing else is tried again'),
  },
  {
    name: 'a flood of the lowest class takes every place',
    invariant: 'I22',
    places: [
      {
        file: `${RPC}/src/load-gate.ts`,
        find: '? active.unary < IN_FLIGHT_MAX - PLACES_KEPT * rank',
        replace: '? active.unary < IN_FLIGHT_MAX + 0 * PLACES_KEPT * rank',
      },
    ],
    proof: rpcUnit('load-gate.test.ts', 'I22: a flood of any class leaves places'),
  },
  {
    name: 'a call is granted as much time as it asks for',
    invariant: 'I21',
    places: [
      {
        file: `${RPC}/src/deadline.ts`,
        find: 'return Math.max(0, Math.min(askedMs, DEADLINE_MS_MAX))',
        replace: 'return Math.max(0, askedMs + 0 * DEADLINE_MS_MAX)',
      },
    ],
    proof: rpcUnit('deadline.test.ts', 'I21: no call is granted less than nothing'),
  },
  {
    name: 'a handler that hangs is waited for',
    invariant: 'I21',
    places: [
      {
        file: `${RPC}/src/handler.ts`,
        find: 'await Promise.race([handler(input, call), time.overdue])',
        replace: 'await handler(input, call)',
      },
    ],
    proof: rpcTest('drain.test.ts', 'I8: answers calls that cannot finish as unknown'),
  },
  {
    name: 'what a handler throws is answered twice',
    invariant: 'I21',
    places: [
      {
        file: `${RPC}/src/handler.ts`,
        find: 'throw counted(refuse(setting, grpc, error, time), done)',
        replace: `const refusal = counted(refuse(setting, grpc, error, time), done)
    void Promise.reject(refusal)
    throw refusal`,
      },
    ],
    proof: rpcTest('answers.test.ts', 'answers once, and the process lives'),
  },
  {
    name: 'text that is not UTF-8 is taken',
    invariant: 'I8',
    places: [
      {
        file: 'packages/proto/src/gen/holdfast/type/v1/money.ts',
        find: 'message.currencyCode = reader.string(true)',
        replace: 'message.currencyCode = reader.string()',
      },
    ],
    proof: {
      suite: 'unit',
      file: 'packages/proto/src/strict-decoding.test.ts',
      test: 'refuses text that is not UTF-8',
    },
  },
  {
    name: 'of two states that wait the older one is published',
    invariant: 'I18',
    places: [
      {
        file: `${OUTBOX}/src/conflate.ts`,
        find: 'if (other === undefined || other.version < row.version) newest.set(row.key, row)',
        replace: 'if (other === undefined || row.version > 0n) newest.set(row.key, row)',
      },
    ],
    proof: {
      suite: 'unit',
      file: `${OUTBOX}/src/conflate.test.ts`,
      test: 'I18: the higher version wins even where its seq is lower',
    },
  },
  {
    name: 'a state that commits late is published over a newer one',
    invariant: 'I18',
    places: [
      {
        file: `${OUTBOX}/src/relay-state.ts`,
        find: 'return version === undefined || BigInt(version) < row.version',
        replace: 'return version === undefined || row.version > 0n',
      },
    ],
    proof: outboxTest('state-relay.test.ts', 'I18: version 1 that commits after version 2'),
  },
  {
    name: 'a relay that slept over its lease publishes what it had',
    invariant: 'I18',
    places: [
      {
        file: 'packages/bus/src/publish.ts',
        find: 'afterSequence === undefined ? undefined : afterSequence + index',
        replace: 'undefined',
      },
    ],
    proof: outboxTest('state-relay.test.ts', 'I18: a relay that slept over its lease is refused'),
  },
  {
    name: 'a follower whose start failed waits for messages that nobody reads',
    invariant: 'I18',
    places: [
      {
        file: 'packages/bus/src/follow.ts',
        find: 'failed nobody reads them.\n      messages.stop()',
        replace: 'failed nobody reads them.\n      await messages.close()',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'packages/bus/test/follow-start.test.ts',
      test: 'I18: a start that failed is tried again',
    },
  },
  {
    name: 'a copy that hears nothing calls itself fresh',
    invariant: 'I14',
    places: [
      {
        file: `${OUTBOX}/src/freshness.ts`,
        find: 'isFresh: () => ageMs() < FRESH_MS_MAX,',
        replace: 'isFresh: () => ageMs() < Number.POSITIVE_INFINITY,',
      },
    ],
    proof: {
      suite: 'unit',
      file: `${OUTBOX}/src/freshness.test.ts`,
      test: 'I14: a copy without a watermark for 2 s is stale',
    },
  },
  {
    name: 'an older copy is written over a newer one',
    invariant: 'I14',
    places: [
      {
        file: 'packages/cache/src/scripts.ts',
        find: 'if #version > #new or (#version == #new and version >= new) then return 0 end',
        replace: 'if version == new then return 0 end',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'packages/cache/test/cache.test.ts',
      test: 'I14: 200 writers in any order',
    },
  },
  {
    name: 'a fact that comes again is applied again',
    invariant: 'I6',
    places: [
      {
        file: `${OUTBOX}/src/consume-facts.ts`,
        find: 'if (rowCount !== 1) return false',
        replace: 'if (rowCount > 1) return false',
      },
    ],
    proof: outboxTest('fact-relay.test.ts', 'I6: a relay killed between publish and delete'),
  },
  {
    name: 'a fact is remembered before it is applied, in a transaction of its own',
    invariant: 'I9',
    places: [
      {
        file: `${OUTBOX}/src/consume-facts.ts`,
        find: 'applyFactOnce(tx, { consumer, eventId: fact.eventId }, () => apply(tx, fact)),',
        replace: `applyFactOnce(tx, { consumer, eventId: fact.eventId }, () =>
      db.transaction((other) => apply(other, fact)).catch(() => undefined),
    ),`,
      },
    ],
    proof: outboxTest('fact-relay.test.ts', 'I9: a fact whose consumer lacks what it needs'),
  },
  {
    name: 'a message is acknowledged before it is worked off',
    invariant: 'I9',
    places: [
      {
        file: 'packages/bus/src/consume.ts',
        find: 'await this.#handle(message)',
        replace: 'raw.ack()\n      await this.#handle(message)',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'packages/bus/test/bus.test.ts',
      test: 'I9: a durable consumer works off all across kill -9',
    },
  },
  {
    name: 'what is told is committed beside its effect, not with it',
    invariant: 'I19',
    places: [
      {
        file: 'services/payment/src/store-payment.ts',
        find: 'await appendFacts(tx, facts)',
        replace: 'await base.db.transaction((other) => appendFacts(other, facts))',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'services/payment/test/outbox.test.ts',
      test: 'I19: a capture that cannot be booked is not told',
    },
  },
  {
    name: 'rows leave the outbox although the stream did not take them',
    invariant: 'I19',
    places: [
      {
        file: `${OUTBOX}/src/relay-state.ts`,
        find: 'const done = rows.filter(({ key }) => !left.has(key))',
        replace: 'const done = rows.filter(({ key }) => !left.has(key) || key !== undefined)',
      },
    ],
    proof: outboxTest('state-relay.test.ts', 'a message the stream refuses is parked'),
  },
  {
    name: 'a dependency that is lost stays ready',
    invariant: 'I25',
    places: [
      {
        file: 'packages/runtime/src/readiness.ts',
        find: 'note(check.name, !isThere)',
        replace: 'if (isThere) note(check.name, false)',
      },
    ],
    proof: {
      suite: 'integration',
      file: 'packages/runtime/test/operations.test.ts',
      test: 'I25: /readyz follows what the process needs',
    },
  },
]
