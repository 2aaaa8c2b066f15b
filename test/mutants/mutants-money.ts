import type { Mutant, Proof } from './mutant.ts'

const MONEY = 'packages/kernel/src/money.ts'
const PAYMENT = 'services/payment/src'
const SCHEMA = 'services/payment/migrations/0001-init/up.sql'

function unit(file: string, test: string): Proof {
  return { suite: 'unit', file: `${PAYMENT}/${file}`, test }
}

function integration(file: string, test: string): Proof {
  return { suite: 'integration', file: `services/payment/test/${file}`, test }
}

/** Faults in what is charged, split, refunded and booked. */
export const MONEY_MUTANTS: readonly Mutant[] = [
  {
    name: 'the books take an entry whose legs do not sum to zero',
    invariant: 'I1',
    places: [
      {
        file: SCHEMA,
        find: 'HAVING sum(n.minor) <> 0 OR count(*) < 2',
        replace: 'HAVING count(*) < 2',
      },
    ],
    proof: integration('ledger.test.ts', 'I1: the database refuses'),
  },
  {
    name: 'no answer of the provider in time is taken for a refusal',
    invariant: 'I2',
    places: [
      {
        file: `${PAYMENT}/provider-simulator.ts`,
        find: "return unknown('The provider did not answer.', error)",
        replace: "return refused<Refusal>({ repeat: 'never', code: 'time_out' }, String(error))",
      },
    ],
    proof: unit('provider-simulator.test.ts', 'no answer is unknown, unless no connection'),
  },
  {
    name: 'a call that may have arrived is sent again under a new key',
    invariant: 'I2',
    places: [
      {
        file: `${PAYMENT}/domain-refund.ts`,
        find: "if (!isAnswered && isKeyGood) return { kind: 'send', n: last.n, isNew: false }",
        replace: 'if (!isAnswered && isKeyGood) return draft.fresh()',
      },
    ],
    proof: unit('domain-refund.test.ts', 'I2, I9: whatever is lost or late, a refund is made once'),
  },
  {
    name: 'a key is used again after the provider has forgotten it',
    invariant: 'I2',
    places: [
      {
        file: `${PAYMENT}/domain-draft.ts`,
        find: 'if (ageMs > this.situation.keyWindowMs * WINDOW_SHARE) return this.fresh(step)',
        replace: '',
      },
    ],
    proof: unit('domain-steps.test.ts', 'a key is used again inside its window only'),
  },
  {
    name: 'another amount than asked for counts as authorised',
    invariant: 'I2',
    places: [
      {
        file: `${PAYMENT}/domain-judge.ts`,
        find: 'const isRight = intent.authorizedMinor === facts.amountMinor && intent.currency',
        replace: 'const isRight = facts.amountMinor >= 0n || intent.currency',
      },
    ],
    proof: unit('domain-steps.test.ts', 'I2: another amount or currency is never success'),
  },
  {
    name: 'a refused refund leaves the buyer without the money and without a park',
    invariant: 'I11',
    places: [
      {
        file: `${PAYMENT}/domain-refund.ts`,
        find: "if (saysExists(outcome)) return { kind: 'find' }",
        replace: "if (call.kind === 'send') return void draft.move('FAILED', 'PROVIDER')",
      },
    ],
    proof: unit('domain-refund.test.ts', 'a refusal, another amount and a returned refund'),
  },
  {
    name: 'a call that may have arrived counts as one that was not sent',
    invariant: 'I2',
    places: [
      {
        file: `${PAYMENT}/domain-attempt.ts`,
        find: "return before === 'in_flight' ? 'unknown' : before",
        replace: 'return answer.outcome',
      },
    ],
    proof: unit('domain-steps.test.ts', 'an attempt that may have arrived once'),
  },
  {
    name: 'a call is sent without being written down before',
    invariant: 'I9',
    places: [
      {
        file: `${PAYMENT}/store-turn.ts`,
        find: 'await writeAttempt(tx, {',
        replace: 'void ({',
      },
    ],
    proof: integration('matrix.test.ts', 'every cell of the provider matrix at capture'),
  },
  {
    name: 'a process that slept over its lease writes what it heard',
    invariant: 'I8',
    places: [
      {
        file: `${PAYMENT}/store-turn.ts`,
        find: 'if (locked.row.fence !== turn.fence) return',
        replace: 'if (locked.row.fence < turn.fence) return',
      },
    ],
    proof: integration('turns.test.ts', 'I8: what is heard in a turn that another has followed'),
  },
  {
    name: 'refunds have no limit',
    invariant: 'I2',
    places: [
      {
        file: `${PAYMENT}/store-refund.ts`,
        find: 'if (facts.refundedMinor + ask.amountMinor > facts.capturedMinor) {',
        replace: 'if (ask.amountMinor > facts.capturedMinor) {',
      },
      {
        file: SCHEMA,
        find: 'CHECK (refunded_minor BETWEEN 0 AND captured_minor)',
        replace: 'CHECK (refunded_minor >= 0)',
      },
    ],
    proof: integration('refunds.test.ts', 'I2, I6: repeats of a refund refund once'),
  },
  {
    name: 'the rest of a split is dropped',
    invariant: 'I3',
    places: [{ file: MONEY, find: 'if (left === 0n) break', replace: 'break' }],
    proof: {
      suite: 'unit',
      file: 'packages/kernel/src/money.test.ts',
      test: 'I3: the parts of a split sum to the whole',
    },
  },
  {
    name: 'refunds in steps take each part rounded down',
    invariant: 'I3',
    places: [
      {
        file: `${PAYMENT}/domain-ledger.ts`,
        find: ": split({ currency: '', minor: amountMinor }, left).map((money) => money.minor)",
        replace: ': left.map((one) => (one * amountMinor) / leftTotal)',
      },
    ],
    proof: unit('domain-ledger.test.ts', 'I3: refunds in any steps sum to each step'),
  },
  {
    name: 'a webhook that comes twice is kept twice',
    invariant: 'I6',
    places: [
      {
        file: SCHEMA,
        find: 'CONSTRAINT webhook_inbox_event UNIQUE (provider, account, event_id)',
        replace: 'CONSTRAINT webhook_inbox_event UNIQUE (inbox_id)',
      },
    ],
    proof: integration('webhooks.test.ts', 'I6: an event that comes 50 times over both copies'),
  },
]
