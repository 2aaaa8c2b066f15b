import { PACKAGE_MUTANTS } from './mutants-packages.ts'
import { SERVICE_MUTANTS } from './mutants-services.ts'
import type { Mutant } from './mutant.ts'

/** Every fault that is planted, by what it breaks. docs/proof.md says what each stands for. */
export const MUTANTS: readonly Mutant[] = [...PACKAGE_MUTANTS, ...SERVICE_MUTANTS]
