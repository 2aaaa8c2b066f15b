import { isDeepStrictEqual } from 'node:util'
import { eventually, NotYet } from '@holdfast/testkit'
import type { Snapshot, Target } from './target.ts'

/** So many looks in a row that see the same are taken for rest: with their pauses, some 200 ms. */
const QUIET_LOOKS = 8

/** After this the walk goes on anyway, ms: a change it sees then must be seen again to count. */
const PATIENCE_MS = 10_000

/** The database once the services' loops and workflows have finished what they had to do. */
export async function settled(target: Target): Promise<Snapshot> {
  let last = await target.snapshot()
  let quietLooks = 0
  const isQuiet = async (): Promise<boolean> => {
    const now = await target.snapshot()
    quietLooks = isDeepStrictEqual(now, last) ? quietLooks + 1 : 0
    last = now
    return quietLooks >= QUIET_LOOKS
  }
  try {
    await eventually(isQuiet, { withinMs: PATIENCE_MS })
  } catch (error) {
    if (!(error instanceof NotYet)) throw error
  }
  return last
}
