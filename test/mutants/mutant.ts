/** One edit that is part of a fault. */
export interface Place {
  /** From the root. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
}

/** A fault that is planted in the code, and the test that must notice it. */
export interface Mutant {
  /** Unique; in words, what is wrong. */
  readonly name: string
  /** What is broken by it, such as `I2`; docs/invariants.md says what that promises. */
  readonly invariant: string
  /** Several where one guard stands behind another. */
  readonly places: readonly Place[]
  readonly proof: Proof
}

/** The test that fails when the fault is there, and passes when it is not. */
export interface Proof {
  readonly suite: 'unit' | 'integration' | 'replay' | 'chaos'
  /** From the root. */
  readonly file: string
  /** A part of the test's name that no other test of the file has, or only others of its table. */
  readonly test: string
}

/** The file's text with the edit made. Fails when the place is not there, or there twice. */
export function plant({ file, find, replace }: Place, text: string): string {
  const times = text.split(find).length - 1
  if (times !== 1) throw new Error(`${file} has its place ${times} times: ${find}`)
  // As a function, since a text would have its dollar signs read.
  return text.replace(find, () => replace)
}
