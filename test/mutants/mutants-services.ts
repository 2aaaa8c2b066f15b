import type { Mutant, Proof } from './mutant.ts'

const SCHEMA = 'services/inventory/migrations/0001-init/up.sql'
const LEVELS = 'services/inventory/src/store-level.ts'

function holdsTest(test: string): Proof {
  return { suite: 'integration', file: 'services/inventory/test/holds.test.ts', test }
}

/** Faults in the rules and the SQL of services. */
export const SERVICE_MUTANTS: readonly Mutant[] = [
  {
    name: 'units are read and then written, without a lock',
    invariant: 'I4',
    places: [
      { file: SCHEMA, find: '0 <= reserved AND reserved <= on_hand', replace: 'true' },
      {
        file: LEVELS,
        find: 'ORDER BY l.item_id FOR UPDATE OF l`,',
        replace: 'ORDER BY l.item_id`,',
      },
    ],
    proof: holdsTest('I4: 120 buyers of 50 units'),
  },
]
