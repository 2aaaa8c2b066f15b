import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { type Clock, isHoldfastError, present } from '@holdfast/kernel'
import { Audience } from '@holdfast/proto/session'
import { type CallScope, isHopeless, scopeFor, type ServiceName } from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'
import type { Endpoints } from './endpoints.ts'
import {
  type MarketplaceClients,
  openMarketplaceClients,
  type ServiceAddresses,
} from './marketplace-clients.ts'

/** Somebody who uses the marketplace through its public doors. */
export interface Actor extends AsyncDisposable {
  readonly clients: MarketplaceClients
  /** The access token in use, for doors other than gRPC. */
  accessToken(): string
  /** A scope for one call of this actor. */
  scope(): CallScope
  /**
   * One call as a well-behaved app makes it: a refusal for load or an outage, or a lost answer, is
   * followed by the same request again, for up to a minute. The request is made outside `call`, so
   * that its request_id stays the same.
   */
  ask<T>(call: (scope: CallScope) => Promise<T>): Promise<T>
}

/** Where the marketplace is and how its actors tell time. */
export interface Stage {
  readonly addresses: ServiceAddresses
  readonly clock: Clock
  readonly log: Logger
  /** Ends every call and pause of the actors when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** E-mail address and password of an account. */
export interface Credentials {
  readonly email: string
  readonly password: string
}

/** Longest wait for one step of an actor, ms. */
const STEP_TIMEOUT_MS = 30_000

/** How long an actor repeats a call that may still succeed, ms. */
const PATIENCE_MS = 60_000
/** Longest pause between two tries, ms; the server's own advice comes first. */
const PAUSE_MS_MAX = 1_000

const NO_COPIES: readonly string[] = []

/** The gRPC addresses in `endpoints.json`, by service. */
export function serviceAddresses(endpoints: Endpoints): ServiceAddresses {
  const of = (name: ServiceName) => endpoints.services[name] ?? NO_COPIES
  return {
    session: of('session'),
    cart: of('cart'),
    inventory: of('inventory'),
    payment: of('payment'),
    seller: of('seller'),
    checkout: of('checkout'),
  }
}

/** The operator that the marketplace was started with. */
export function firstOperator(endpoints: Endpoints): Credentials {
  const file = path.join(endpoints.secretsFolder, 'first-operator.json')
  return JSON.parse(readFileSync(file, 'utf8')) as Credentials
}

/** An actor without a token yet; `admit` gives it one. */
export function createActor(stage: Stage): Actor & { admit(accessToken: string): void } {
  const held: { token: string | undefined } = { token: undefined }
  const clients = openMarketplaceClients({ ...stage, accessToken: () => held.token })
  return {
    clients,
    accessToken: () => present(held.token, 'the access token of this actor'),
    admit: (accessToken) => {
      held.token = accessToken
    },
    scope: () => scopeOf(stage),
    ask: async (call) => persist(stage, call),
    [Symbol.asyncDispose]: async () => clients[Symbol.asyncDispose](),
  }
}

function scopeOf({ clock, signal }: Stage): CallScope {
  return scopeFor({ timeoutMs: STEP_TIMEOUT_MS, clock, ...(signal && { signal }) })
}

async function persist<T>(stage: Stage, call: (scope: CallScope) => Promise<T>): Promise<T> {
  const endMs = stage.clock.monotonicMs() + PATIENCE_MS
  for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    try {
      return await call(scopeOf(stage))
    } catch (error) {
      stage.signal?.throwIfAborted()
      if (isHopeless(error) || stage.clock.monotonicMs() > endMs) throw error
      const askedMs = isHoldfastError(error) ? error.retryAfterMs : undefined
      await stage.clock.sleep(askedMs ?? pauseMs, stage.signal)
    }
  }
}

/** Logs an account in as buyer, operator, or member of a seller. */
export async function logIn(
  stage: Stage,
  credentials: Credentials,
  as: 'buyer' | 'operator' | { readonly sellerId: string },
): Promise<Actor> {
  const actor = createActor(stage)
  const request = {
    requestId: randomUUID(),
    ...credentials,
    actAs: actAs(as),
    guestRefreshToken: '',
    deviceName: 'demo',
  }
  const { tokens } = await actor.ask(async (scope) => actor.clients.session.logIn(request, scope))
  actor.admit(present(tokens, 'tokens of the log-in').accessToken)
  return actor
}

function actAs(as: 'buyer' | 'operator' | { readonly sellerId: string }) {
  if (as === 'buyer') return { audience: Audience.BUYER, sellerId: '' }
  if (as === 'operator') return { audience: Audience.OPERATOR, sellerId: '' }
  return { audience: Audience.SELLER, sellerId: as.sellerId }
}

/** Begins a guest's session. */
export async function enterAsGuest(stage: Stage): Promise<Actor> {
  const actor = createActor(stage)
  const request = { requestId: randomUUID(), deviceName: 'demo' }
  const { tokens } = await actor.ask(async (scope) =>
    actor.clients.session.createGuestSession(request, scope),
  )
  actor.admit(present(tokens, 'tokens of the guest').accessToken)
  return actor
}
