import type { Mutant } from './mutant.ts'
import { MONEY_MUTANTS } from './mutants-money.ts'
import { ORDER_MUTANTS } from './mutants-orders.ts'
import { PACKAGE_MUTANTS } from './mutants-packages.ts'
import { PEOPLE_MUTANTS } from './mutants-people.ts'

/** Every fault that is planted; docs/proof.md tells what each stands for. */
export const MUTANTS: readonly Mutant[] = [
  ...MONEY_MUTANTS,
  ...ORDER_MUTANTS,
  ...PEOPLE_MUTANTS,
  ...PACKAGE_MUTANTS,
]
