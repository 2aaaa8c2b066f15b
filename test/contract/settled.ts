import { eventually, NotYet } from '@holdfast/testkit'
import type { Target } from './target.ts'
import type { Change } from './witness.ts'

/** So many looks in a row that see nothing are taken for rest: with their pauses, some 200 ms. */
const QUIET_LOOKS = 8

/** After this the walk goes on anyway, ms: what changes then is judged like everything. */
const PATIENCE_MS = 10_000

/**
 * Waits until the services' loops and workflows have finished what they had to do, and tells what
 * changed until then.
 */
export async function settled(target: Target): Promise<readonly Change[]> {
  const seen: Change[] = []
  let quietLooks = 0
  const isQuiet = async (): Promise<boolean> => {
    const now = await target.changes()
    seen.push(...now)
    quietLooks = now.length === 0 ? quietLooks + 1 : 0
    return quietLooks >= QUIET_LOOKS
  }
  try {
    await eventually(isQuiet, { withinMs: PATIENCE_MS })
  } catch (error) {
    if (!(error instanceof NotYet)) throw error
  }
  return seen
}
