import type { Operation } from './domain.ts'

/**
 * What goes wrong in one call, as a cell of a matrix: whether the effect happens, what the caller
 * sees of it, what becomes of the webhook, and whether the amount is the one asked for.
 */
export interface Script {
  readonly effect: 'yes' | 'no'
  readonly answer: ScriptAnswer
  readonly webhook: ScriptWebhook
  readonly amount: 'right' | 'wrong'
}

/** What the caller sees of a call. */
export const SCRIPT_ANSWERS = [
  'ok',
  'timeout',
  'reset',
  'http_500',
  'http_409',
  'http_429',
  'html_502',
  'unreadable_200',
  'declined',
] as const
/** One way an answer can go wrong, or `ok`. */
export type ScriptAnswer = (typeof SCRIPT_ANSWERS)[number]

/** What becomes of the event a call causes. */
export const SCRIPT_WEBHOOKS = [
  'after_answer',
  'before_answer',
  'twice',
  'late',
  'never',
  'wrong_amount',
] as const
/** One fate of an event. */
export type ScriptWebhook = (typeof SCRIPT_WEBHOOKS)[number]

/** A call in which nothing goes wrong. */
export const NO_SCRIPT: Script = {
  effect: 'yes',
  answer: 'ok',
  webhook: 'after_answer',
  amount: 'right',
}

/** The ten named scripts. Their names are part of method tokens and of the admin endpoint. */
export const NAMED_SCRIPTS = {
  timeout_after_charge: { ...NO_SCRIPT, answer: 'timeout' },
  timeout_before_charge: { ...NO_SCRIPT, effect: 'no', answer: 'timeout' },
  http_500_after_charge: { ...NO_SCRIPT, answer: 'http_500' },
  connection_reset: { ...NO_SCRIPT, answer: 'reset' },
  declined: { ...NO_SCRIPT, effect: 'no', answer: 'declined' },
  html_502: { ...NO_SCRIPT, effect: 'no', answer: 'html_502' },
  webhook_before_answer: { ...NO_SCRIPT, webhook: 'before_answer' },
  webhook_twice: { ...NO_SCRIPT, webhook: 'twice' },
  webhook_never: { ...NO_SCRIPT, webhook: 'never' },
  wrong_amount: { ...NO_SCRIPT, amount: 'wrong' },
} as const satisfies Record<string, Script>
export type ScriptName = keyof typeof NAMED_SCRIPTS

/** True for one of the ten names. */
function isScriptName(name: string): name is ScriptName {
  return Object.hasOwn(NAMED_SCRIPTS, name)
}

/** A method with which everything works. */
export const METHOD_OK = 'pm_sim_ok'
/** A method whose buyer must prove that it is them before the money is held. */
export const METHOD_REQUIRES_ACTION = 'pm_sim_requires_action'
/** A method whose refunds stay pending until `POST /admin/refunds/<id>/settle`. */
export const METHOD_REFUND_PENDING = 'pm_sim_refund_pending'

const PREFIX = 'pm_sim_'
const AT_SUFFIX = /_at_(capture|cancel|refund)$/

/**
 * The method token that runs `script` once per intent, at `operation` (default `confirm`): the way
 * to order a failure through the product's own API. `methodToken('timeout_after_charge',
 * 'capture')` is `pm_sim_timeout_after_charge_at_capture`.
 */
export function methodToken(
  script: ScriptName,
  operation: 'confirm' | 'capture' | 'cancel' | 'refund' = 'confirm',
): string {
  return operation === 'confirm' ? `${PREFIX}${script}` : `${PREFIX}${script}_at_${operation}`
}

/** What a method token asks for. */
export type MethodMeaning =
  | { readonly kind: 'plain' }
  | { readonly kind: 'requires-action' }
  | { readonly kind: 'refund-pending' }
  | { readonly kind: 'script'; readonly script: Script; readonly operation: Operation }

/** Reads a method token; undefined for one this provider never issued. */
export function parseMethod(token: string): MethodMeaning | undefined {
  if (token === METHOD_OK) return { kind: 'plain' }
  if (token === METHOD_REQUIRES_ACTION) return { kind: 'requires-action' }
  if (token === METHOD_REFUND_PENDING) return { kind: 'refund-pending' }
  if (!token.startsWith(PREFIX)) return undefined
  const suffix = AT_SUFFIX.exec(token)
  const name = token.slice(PREFIX.length, suffix ? suffix.index : undefined)
  if (!isScriptName(name)) return undefined
  const operation = (suffix?.[1] ?? 'confirm') as Operation
  return { kind: 'script', script: NAMED_SCRIPTS[name], operation }
}

/** An order to run `script` at the next `times` calls of `operation` for `ref`. */
export interface ScriptOrder {
  readonly ref: string
  readonly operation: Operation
  readonly script: Script
  readonly times: number
}

/** Bound on waiting orders: a test that leaks them is told, instead of filling memory. */
const SCRIPT_ORDERS_MAX = 10_000

/**
 * Scripts set by the admin endpoint, by (ref, operation), in the order they were set; memory only.
 */
export class ScriptBook {
  readonly #orders: ScriptOrder[] = []

  /** Adds an order; false when the book is full. */
  add(order: ScriptOrder): boolean {
    if (this.#orders.length >= SCRIPT_ORDERS_MAX) return false
    this.#orders.push(order)
    return true
  }

  /** Takes one run of the oldest order for this call, or undefined. `*` orders match every ref. */
  take(ref: string, operation: Operation): Script | undefined {
    const index = this.#orders.findIndex(
      (order) => order.operation === operation && (order.ref === ref || order.ref === '*'),
    )
    const order = this.#orders[index]
    if (!order) return undefined
    if (order.times <= 1) this.#orders.splice(index, 1)
    else this.#orders[index] = { ...order, times: order.times - 1 }
    return order.script
  }

  /** The waiting orders. */
  list(): readonly ScriptOrder[] {
    return [...this.#orders]
  }

  /** Forgets all orders. */
  clear(): void {
    this.#orders.length = 0
  }
}
