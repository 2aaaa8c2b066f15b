import { isAtLeast, type Version } from './version.ts'

/** Where a server came from. */
export type Source = 'environment' | 'path' | 'cache' | 'package' | 'made'

/** A program found on PATH with the version it prints; undefined when it prints none. */
export interface FoundProgram {
  readonly path: string
  readonly version: Version | undefined
  /** The name it must be called by, when that is not its file's. */
  readonly argv0?: string | undefined
}

/** What was found for one server. */
export interface Candidates {
  /** An address given by the environment. */
  readonly address?: string | undefined
  readonly onPath: readonly FoundProgram[]
  /** The built or downloaded program in the cache folder. */
  readonly cached?: string | undefined
}

/** What to take; `make` when nothing that was found is good. */
export type Choice =
  | { readonly source: 'environment'; readonly address: string }
  | { readonly source: 'path'; readonly program: FoundProgram }
  | { readonly source: 'cache'; readonly path: string }
  | { readonly source: 'make' }

/**
 * The order of taking a server: an address that was given, the first program on PATH that is at
 * least `minimum`, the cached program, else it has to be made.
 */
export function choose(candidates: Candidates, minimum: Version): Choice {
  const { address, onPath, cached } = candidates
  if (address !== undefined && address !== '') return { source: 'environment', address }
  const program = onPath.find(({ version }) => version !== undefined && isAtLeast(version, minimum))
  if (program !== undefined) return { source: 'path', program }
  if (cached !== undefined) return { source: 'cache', path: cached }
  return { source: 'make' }
}
