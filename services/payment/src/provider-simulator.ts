import { createHmac, timingSafeEqual } from 'node:crypto'
import { DAY_MS, known, MINUTE_MS, refused, unknown } from '@holdfast/kernel'
import { z } from 'zod'
import type {
  IntentSnapshot,
  ProviderEvent,
  ProviderOutcome,
  Refusal,
  RefundSnapshot,
} from './domain-outcome.ts'
import type { PaymentProvider, ProviderCall } from './provider.ts'

/** How to reach the simulator in its native dialect. */
export interface SimulatorProviderOptions {
  /** Base URL without a path. */
  readonly url: string
  readonly apiKey: string
  /**
   * Secrets a webhook may be signed with: the current one and, while it is changed, the one before.
   */
  readonly webhookSecrets: readonly string[]
  /** How long the simulator keeps answers; shorter only in tests of what comes after. */
  readonly keyWindowMs?: number
}

/** A webhook signed longer ago, or later, than this is not taken. */
const SIGNATURE_TOLERANCE_MS = 5 * MINUTE_MS
/** Events asked for at once. */
const EVENT_PAGE_SIZE = 100

const minor = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform(BigInt)
const time = z.iso.datetime({ offset: true }).transform((text) => new Date(text))

const INTENT = z
  .object({
    id: z.string().min(1),
    ref: z.string(),
    state: z.enum([
      'opened',
      'requires_action',
      'authorized',
      'captured',
      'voided',
      'cancelled',
      'declined',
      'lapsed',
    ]),
    currency: z.string(),
    amountMinor: minor,
    authorizedMinor: minor,
    capturedMinor: minor,
    declineCode: z.string().nullable(),
    actionUrl: z.string().nullable(),
    captureBefore: time.nullable(),
  })
  .transform((intent): IntentSnapshot => intent)

const REFUND = z
  .object({
    id: z.string().min(1),
    refundRef: z.string(),
    state: z.enum(['pending', 'succeeded', 'failed']),
    currency: z.string(),
    amountMinor: minor,
  })
  .transform((refund): RefundSnapshot => refund)

const EVENT = z
  .object({
    id: z.string().min(1).max(200),
    type: z.string().max(200),
    account: z.string().min(1).max(200),
    data: z.object({
      kind: z.enum(['intent', 'refund']),
      object: z.object({ id: z.string().min(1).max(200) }),
    }),
  })
  .transform(
    ({ id, type, account, data }): ProviderEvent => ({
      account,
      eventId: id,
      type,
      object: { kind: data.kind, id: data.object.id },
    }),
  )

const EVENTS = z.object({ data: z.array(EVENT), next: z.number().int(), hasMore: z.boolean() })

const ERROR = z.object({ error: z.object({ type: z.string(), code: z.string().optional() }) })

/** The simulator behind the port. It keeps no state and never throws for what the network does. */
export function createSimulatorProvider(options: SimulatorProviderOptions): PaymentProvider {
  return {
    name: 'simulator',
    signatureHeader: SIGNATURE_HEADER,
    caps: { keyWindowMs: options.keyWindowMs ?? DAY_MS, find: 'strong' },
    ...writingCalls(options),
    ...readingCalls(options),
    verifyWebhook: (raw, signature, now) =>
      verifyWebhook({ raw, signature, now, secrets: options.webhookSecrets }),
  }
}

type WritingCalls = Pick<PaymentProvider, 'open' | 'confirm' | 'capture' | 'cancel' | 'refund'>
type ReadingCalls = Pick<PaymentProvider, 'get' | 'findOpen' | 'findRefund' | 'listEvents'>

function writingCalls({ url, apiKey }: SimulatorProviderOptions): WritingCalls {
  const post = <T>(
    path: string,
    request: { readonly key: string; readonly body: object; readonly schema: z.ZodType<T> },
    call: ProviderCall,
  ) => {
    const headers = {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': request.key,
    }
    const init = { method: 'POST', headers, body: JSON.stringify(request.body) }
    return ask(`${url}${path}`, init, request.schema, call)
  }
  return {
    open: ({ ref, currency, amountMinor, key }, call) => {
      const body = { ref, currency, amountMinor: amountMinor.toString() }
      return post('/v1/intents', { key, body, schema: INTENT }, call)
    },
    confirm: ({ intentId, methodToken, key }, call) => {
      const body = { method: methodToken }
      return post(`${intentPath(intentId)}/confirm`, { key, body, schema: INTENT }, call)
    },
    capture: ({ intentId, amountMinor, key }, call) => {
      const body = { amountMinor: amountMinor.toString() }
      return post(`${intentPath(intentId)}/capture`, { key, body, schema: INTENT }, call)
    },
    cancel: ({ intentId, key }, call) =>
      post(`${intentPath(intentId)}/cancel`, { key, body: {}, schema: INTENT }, call),
    refund: ({ intentId, refundRef, amountMinor, key }, call) => {
      const body = { refundRef, amountMinor: amountMinor.toString() }
      return post(`${intentPath(intentId)}/refunds`, { key, body, schema: REFUND }, call)
    },
  }
}

function readingCalls({ url, apiKey }: SimulatorProviderOptions): ReadingCalls {
  const get = <T>(path: string, schema: z.ZodType<T>, call: ProviderCall) =>
    ask(`${url}${path}`, { headers: { authorization: `Bearer ${apiKey}` } }, schema, call)
  return {
    get: (intentId, call) => get(intentPath(intentId), INTENT, call),
    findOpen: (ref, since, call) => {
      const query = new URLSearchParams({ ref, since: since.toISOString() })
      const schema = z.object({ data: z.array(INTENT) }).transform(({ data }) => data)
      return get(`/v1/intents?${query.toString()}`, schema, call)
    },
    findRefund: (refundRef, call) => {
      const query = new URLSearchParams({ refundRef })
      const schema = z.object({ data: z.array(REFUND) }).transform(({ data }) => data[0])
      return get(`/v1/refunds?${query.toString()}`, schema, call)
    },
    listEvents: (cursor, call) => {
      const after = cursor === '' ? '0' : cursor
      const query = new URLSearchParams({ after, limit: EVENT_PAGE_SIZE.toString() })
      const schema = EVENTS.transform(({ data, next, hasMore }) => ({
        events: data,
        cursor: next.toString(),
        hasMore,
      }))
      return get(`/v1/events?${query.toString()}`, schema, call)
    },
  }
}

function intentPath(id: string): string {
  return `/v1/intents/${encodeURIComponent(id)}`
}

async function ask<T>(
  url: string,
  request: { readonly method?: string; readonly headers: object; readonly body?: string },
  schema: z.ZodType<T>,
  call: ProviderCall,
): Promise<ProviderOutcome<T>> {
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      ...(request as RequestInit),
      redirect: 'error',
      signal: call.signal,
    })
    text = await response.text()
  } catch (error) {
    return hearNoAnswer(error)
  }
  return hearAnswer(response, text, schema)
}

/** Codes of a connection that was never made, so that nothing can have arrived. */
const NEVER_SENT_CODES = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/**
 * No answer: only a connection that was never made is sure to have had no effect. Exported to test.
 */
export function hearNoAnswer(error: unknown): ProviderOutcome<never> {
  const codes = errorCodes(error)
  if (codes.length > 0 && codes.every((code) => NEVER_SENT_CODES.has(code))) {
    return refused<Refusal>(
      { repeat: 'later', code: 'not_connected' },
      'The provider cannot be reached.',
    )
  }
  return unknown('The provider did not answer.', error)
}

function errorCodes(error: unknown): readonly string[] {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof AggregateError) return cause.errors.flatMap(codeOf)
  return codeOf(cause)
}

function codeOf(error: unknown): readonly string[] {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' ? [code] : []
}

/** Statuses that the provider answers before it looks at the request: no effect for sure. */
const NOT_LOOKED_AT_STATUSES = new Set([401, 403, 429])

/**
 * An answer came. 2xx counts only if its body is the object asked for; a refusal counts only if it
 * is typed; everything else (5xx, 409, a gateway's page, an unreadable body) is unknown.
 */
export function hearAnswer<T>(
  response: { readonly status: number; readonly headers: Headers },
  text: string,
  schema: z.ZodType<T>,
): ProviderOutcome<T> {
  const { status } = response
  const body = readJson(text)
  if (status >= 200 && status < 300) {
    const parsed = schema.safeParse(body)
    return parsed.success ? known(parsed.data) : unknown('The provider answered another thing.')
  }
  const parsed = ERROR.safeParse(body)
  if (status >= 500 || status === 409 || !parsed.success) {
    const isKeptError = status >= 500 && response.headers.get('idempotent-replayed') === 'true'
    return { ...unknown(`The provider answered ${status}.`), isKeptError }
  }
  const { type, code } = parsed.data.error
  const message = `The provider refused with ${type}.`
  if (NOT_LOOKED_AT_STATUSES.has(status)) {
    return refused<Refusal>({ repeat: 'later', code: type }, message)
  }
  const isDecline = status === 402 && type === 'card_declined'
  const isMethodFault = type === 'invalid_request' && code === 'method'
  const repeat = isDecline || isMethodFault ? 'other_method' : 'never'
  return refused<Refusal>({ repeat, code: code ?? type }, message)
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Header a webhook's signature comes in: `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "<t>.<body>">`.
 */
const SIGNATURE_HEADER = 'simulator-signature'

const SIGNATURE = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/

function verifyWebhook(input: {
  readonly raw: Buffer
  readonly signature: string | undefined
  readonly now: Date
  readonly secrets: readonly string[]
}): ProviderEvent | undefined {
  const { raw, signature, now, secrets } = input
  const [, seconds, mac] = SIGNATURE.exec(signature ?? '') ?? []
  if (seconds === undefined || mac === undefined) return undefined
  const ageMs = Math.abs(now.getTime() - Number(seconds) * 1_000)
  if (ageMs > SIGNATURE_TOLERANCE_MS) return undefined
  const given = Buffer.from(mac, 'hex')
  const isSigned = secrets.some((secret) => {
    const wanted = createHmac('sha256', secret).update(`${seconds}.`).update(raw).digest()
    return timingSafeEqual(given, wanted)
  })
  if (!isSigned) return undefined
  const parsed = EVENT.safeParse(readJson(raw.toString('utf8')))
  return parsed.success ? parsed.data : undefined
}
