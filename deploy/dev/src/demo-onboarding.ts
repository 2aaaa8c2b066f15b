import { randomUUID } from 'node:crypto'
import { type Clock, present } from '@holdfast/kernel'
import type { Credentials } from './demo-actors.ts'
import type { Application, ShopPlan } from './demo-shop.ts'

/** The onboarding API as somebody outside sees it. */
export interface OnboardingDoor {
  /** URL up to and with `/v1`. */
  readonly url: string
  readonly clock: Clock
  /** Ends the call under way, and the pause before the next try. */
  readonly signal?: AbortSignal | undefined
}

/** One call of the onboarding API that was refused. */
class OnboardingRefused extends Error {
  constructor(call: string, status: number, detail: string) {
    super(`${call} was refused with ${status}: ${detail}`)
    this.name = 'OnboardingRefused'
  }
}

interface RequirementBody {
  readonly requirement_id: string
  readonly fields: readonly { readonly name: string; readonly length_max: number }[]
}

/** The part of the onboarding API's answers that is read here. */
interface OnboardingBody {
  readonly seller?: { readonly seller_id: string }
  readonly requirements?: readonly RequirementBody[]
  readonly tokens?: { readonly access_token: string }
  readonly detail?: string
  readonly reason?: string
}

/** An application whose requirements are all answered. */
export interface AnsweredApplication extends Application {
  readonly answered: number
}

/**
 * A seller joins by HTTP alone: account, token, application, answers. Returns once everything asked
 * for was handed in; an operator decides then. A call is repeated for a minute while load, an
 * outage or a lost answer is in its way; else it fails with what was refused.
 */
export async function applyOverHttp(
  door: OnboardingDoor,
  plan: ShopPlan,
): Promise<AnsweredApplication> {
  const credentials: Credentials = {
    email: `${randomUUID()}@example.test`,
    password: `demo-${randomUUID()}`,
  }
  await call(door, { path: '/accounts', body: { ...credentials, display_name: plan.displayName } })
  const entered = await call(door, {
    path: '/tokens',
    body: { ...credentials, act_as: { audience: 'BUYER' } },
  })
  const token = present(entered.tokens, 'tokens of the log-in').access_token
  const joined = await call(door, {
    path: '/sellers',
    token,
    body: {
      display_name: plan.displayName,
      legal_name: `${plan.displayName} Limited`,
      country_code: plan.countryCode,
      currency_code: plan.currency,
    },
  })
  const sellerId = present(joined.seller, 'the seller').seller_id
  const requirements = joined.requirements ?? []
  for (const { requirement_id: id, fields } of requirements) {
    const answers = fields.map(({ name, length_max: lengthMax }) => ({
      name,
      value: `Demo ${name}`.slice(0, lengthMax),
    }))
    const path = `/sellers/${sellerId}/requirements/${id}/submission`
    await call(door, { method: 'PUT', path, token, body: { answers } })
  }
  return { credentials, sellerId, answered: requirements.length }
}

/** How long a call that may still succeed is repeated, ms: a process starts again meanwhile. */
const PATIENCE_MS = 60_000
const PAUSE_MS = 500

/** Statuses after which the same request is sent again: load, an outage, an unknown outcome. */
const REPEATABLE_STATUSES: ReadonlySet<number> = new Set([429, 503, 504])
/** Reason of the one conflict that ends by itself: an earlier try is still being handled. */
const REPEATABLE_REASON = 'KEY_IN_PROGRESS'

interface OnboardingCall {
  readonly method?: 'PUT'
  readonly path: string
  readonly token?: string
  readonly body: object
}

type Try =
  | { readonly kind: 'ok'; readonly body: OnboardingBody }
  | { readonly kind: 'failed'; readonly failure: unknown; readonly isRepeatable: boolean }

async function call(door: OnboardingDoor, request: OnboardingCall): Promise<OnboardingBody> {
  // One key for all tries: whichever of them arrives, it happens once.
  const key = randomUUID()
  const endMs = door.clock.monotonicMs() + PATIENCE_MS
  for (;;) {
    const outcome = await tryOnce(door, request, key)
    if (outcome.kind === 'ok') return outcome.body
    if (!outcome.isRepeatable || door.clock.monotonicMs() >= endMs) throw outcome.failure
    await door.clock.sleep(PAUSE_MS, door.signal)
  }
}

async function tryOnce(door: OnboardingDoor, request: OnboardingCall, key: string): Promise<Try> {
  let response: Response
  let text: string
  try {
    response = await send(door, request, key)
    text = await response.text()
  } catch (failure) {
    door.signal?.throwIfAborted()
    // Nobody listens, or the connection ended: a process that starts again does both.
    return { kind: 'failed', failure, isRepeatable: true }
  }
  const body = JSON.parse(text) as OnboardingBody
  if (response.ok) return { kind: 'ok', body }
  const what = `${request.method ?? 'POST'} ${request.path}`
  return {
    kind: 'failed',
    failure: new OnboardingRefused(what, response.status, body.detail ?? ''),
    isRepeatable: REPEATABLE_STATUSES.has(response.status) || body.reason === REPEATABLE_REASON,
  }
}

async function send(door: OnboardingDoor, request: OnboardingCall, key: string): Promise<Response> {
  const { token } = request
  return fetch(`${door.url}${request.path}`, {
    method: request.method ?? 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(request.body),
    signal: door.signal ?? null,
  })
}
