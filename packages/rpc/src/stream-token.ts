import type { Clock } from '@holdfast/kernel'
import type { Authenticator } from './auth.ts'
import type { CallTime } from './call-time.ts'

/**
 * A stream's token is looked at again this often, ms: with the 250 ms in which a revocation is
 * heard of, a log-out is felt within a second (I16). A look that nothing has changed for costs a
 * hash.
 */
const LOOK_MS = 500

/**
 * Lets a stream go on by the rule that let it in, until disposed: the first look at its token that
 * fails ends it with that failure. Without a token there is nothing to look at.
 */
export function keepProving(options: {
  readonly authenticator: Authenticator
  readonly authorization: string | undefined
  readonly time: CallTime
  readonly clock: Clock
}): Disposable {
  const done = new AbortController()
  if (options.authorization !== undefined) void look(options, done.signal)
  return { [Symbol.dispose]: () => done.abort(ENDED) }
}

/** A reason of its own, because the default one is made with a stack, for every stream. */
const ENDED = 'ended'

async function look(
  { authenticator, authorization, time, clock }: Parameters<typeof keepProving>[0],
  done: AbortSignal,
): Promise<void> {
  try {
    // Bounded by the stream's own longest time.
    for (;;) {
      await clock.sleep(LOOK_MS, done)
      if (done.aborted) return
      await authenticator.authenticate(authorization, time.scope)
    }
  } catch (error) {
    time.refuse(error instanceof Error ? error : new Error('A look failed.', { cause: error }))
  }
}
