import { randomUUID } from 'node:crypto'
import { Unauthenticated } from '@holdfast/kernel'
import { ANONYMOUS, type Authenticator, type Caller } from '@holdfast/rpc'

/** Callers by made-up tokens, for tests of one service alone; real tokens are proven elsewhere. */
export interface TestCallers {
  /** Stands in the service under test in the place of the real one. */
  readonly authenticator: Authenticator & AsyncDisposable & { poke(): void }
  /** A token that proves to be this caller; give it to a client as `bearer`. */
  tokenFor(caller: Caller): string
}

/** Starts without any caller but the anonymous one. */
export function createTestCallers(): TestCallers {
  const callers = new Map<string, Caller>()
  return {
    authenticator: {
      authenticate: async (authorization) => {
        if (authorization === undefined) return ANONYMOUS
        const caller = callers.get(authorization.replace('Bearer ', ''))
        if (caller === undefined) throw new Unauthenticated('TOKEN_INVALID', 'Unknown test token.')
        return caller
      },
      poke: () => undefined,
      [Symbol.asyncDispose]: async () => undefined,
    },
    tokenFor: (caller) => {
      const token = `test-${randomUUID()}`
      callers.set(token, caller)
      return token
    },
  }
}
