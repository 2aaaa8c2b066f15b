import { randomUUID } from 'node:crypto'
import type { Credentials } from './demo-actors.ts'
import type { Application, ShopPlan } from './demo-shop.ts'

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
}

/**
 * A seller joins by HTTP alone: account, token, application, answers. `api` is the URL of /v1.
 * Returns once everything asked for was handed in; an operator decides then.
 */
export async function applyOverHttp(api: string, plan: ShopPlan): Promise<Application> {
  const credentials: Credentials = {
    email: `${randomUUID()}@example.test`,
    password: `demo-${randomUUID()}`,
  }
  await call(api, { path: '/accounts', body: { ...credentials, display_name: plan.displayName } })
  const entered = await call(api, {
    path: '/tokens',
    body: { ...credentials, act_as: { audience: 'BUYER' } },
  })
  const token = entered.tokens?.access_token ?? ''
  const joined = await call(api, {
    path: '/sellers',
    token,
    body: {
      display_name: plan.displayName,
      legal_name: `${plan.displayName} Limited`,
      country_code: plan.countryCode,
      currency_code: plan.currency,
    },
  })
  const sellerId = joined.seller?.seller_id ?? ''
  for (const { requirement_id: id, fields } of joined.requirements ?? []) {
    const answers = fields.map(({ name, length_max: lengthMax }) => ({
      name,
      value: `Demo ${name}`.slice(0, lengthMax),
    }))
    const path = `/sellers/${sellerId}/requirements/${id}/submission`
    await call(api, { method: 'PUT', path, token, body: { answers } })
  }
  return { credentials, sellerId }
}

async function call(
  api: string,
  request: {
    readonly method?: string
    readonly path: string
    readonly token?: string
    readonly body: object
  },
): Promise<OnboardingBody> {
  const method = request.method ?? 'POST'
  const response = await fetch(`${api}${request.path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
      ...(request.token === undefined ? {} : { authorization: `Bearer ${request.token}` }),
    },
    body: JSON.stringify(request.body),
  })
  const body = (await response.json()) as OnboardingBody
  if (response.ok) return body
  throw new OnboardingRefused(`${method} ${request.path}`, response.status, body.detail ?? '')
}
