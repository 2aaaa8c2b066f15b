import { randomUUID } from 'node:crypto'
import { type Actor, createActor, type Credentials, type Stage } from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import type { TokenPair } from '@holdfast/proto/session'

/** A guest that keeps its refresh token, as an app does. */
export interface Guest {
  readonly actor: Actor
  /** Exchanges the refresh token for the next pair of tokens. */
  refresh(): Promise<void>
  /** Ends the session for good. */
  logOut(): Promise<void>
  /** Logs an account in on this device, which takes the guest's things over; answers its id. */
  logIn(credentials: Credentials): Promise<string>
}

/** Begins a guest's session. */
export async function openGuest(stage: Stage): Promise<Guest> {
  const actor = createActor(stage)
  const { session } = actor.clients
  let tokens: TokenPair
  const take = (pair: TokenPair | undefined): void => {
    tokens = present(pair, 'tokens')
    actor.admit(tokens.accessToken)
  }
  const opening = { requestId: randomUUID(), deviceName: 'phone' }
  take((await actor.ask(async (scope) => session.createGuestSession(opening, scope))).tokens)
  return {
    actor,
    refresh: async () => {
      const { refreshToken } = tokens
      const request = { requestId: randomUUID(), refreshToken, actAs: undefined }
      take((await actor.ask(async (scope) => session.refreshSession(request, scope))).tokens)
    },
    logOut: async () => {
      const request = { requestId: randomUUID(), refreshToken: tokens.refreshToken }
      await actor.ask(async (scope) => session.logOut(request, scope))
    },
    logIn: async (credentials) => {
      const request = {
        requestId: randomUUID(),
        ...credentials,
        actAs: undefined,
        guestRefreshToken: tokens.refreshToken,
        deviceName: 'phone',
      }
      const answer = await actor.ask(async (scope) => session.logIn(request, scope))
      take(answer.tokens)
      return present(answer.account, 'the account').accountId
    },
  }
}
