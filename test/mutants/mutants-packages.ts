import type { Mutant, Proof } from './mutant.ts'

const REQUEST_KEYS = 'packages/pg/src/request-key.ts'
const DATABASE = 'packages/pg/src/db.ts'

function requestKeyTest(test: string): Proof {
  return { suite: 'integration', file: 'packages/pg/test/request-key.test.ts', test }
}

function transactionTest(test: string): Proof {
  return { suite: 'integration', file: 'packages/pg/test/transaction.test.ts', test }
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
    name: 'a COMMIT that the server answered with ROLLBACK counts as done',
    invariant: 'I7',
    places: [
      { file: DATABASE, find: "if (tag !== 'COMMIT') {", replace: "if (tag === 'never') {" },
    ],
    proof: transactionTest('I7: COMMIT that answers ROLLBACK'),
  },
]
