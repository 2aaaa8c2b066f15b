import { createHash, randomBytes } from 'node:crypto'
import { type Clock, unreachable } from '@holdfast/kernel'
import { encode } from './codec.ts'
import {
  type Answer,
  type Change,
  type Delivery,
  type Intent,
  type ProviderEvent,
  type Refund,
  refusal,
  type SavedAnswer,
} from './domain.ts'
import {
  atTime,
  type Decision,
  type DecisionContext,
  decideAction,
  decideCancel,
  decideCapture,
  decideConfirm,
  decideOpen,
  decideRefund,
  decideSettle,
} from './domain-decide.ts'
import { NO_SCRIPT, parseMethod, type Script, ScriptBook } from './domain-script.ts'
import type { Journal } from './journal.ts'
import { apply, firedKey, type LedgerState } from './state.ts'

/** The account id of this provider's only customer, as webhooks name it. */
const ACCOUNT_ID = 'acct_sim'

/** What a call asks for. */
export type Command =
  | {
      readonly operation: 'open'
      readonly ref: string
      readonly currency: string
      readonly amountMinor: bigint
    }
  | { readonly operation: 'confirm'; readonly intentId: string; readonly method: string }
  | { readonly operation: 'capture'; readonly intentId: string; readonly amountMinor: bigint }
  | { readonly operation: 'cancel'; readonly intentId: string }
  | {
      readonly operation: 'refund'
      readonly intentId: string
      readonly refundRef: string
      readonly amountMinor: bigint
    }

/** What the HTTP door shall do with a call. */
export type Reaction =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly replayed: boolean
    }
  | { readonly kind: 'html-502' }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }

/** What the core needs of the world. */
export interface CoreOptions {
  readonly state: LedgerState
  readonly journal: Journal
  readonly clock: Clock
  readonly keyLifetimeMs: number
  readonly lateWebhookMs: number
  readonly sendsWebhooks: boolean
  publicUrl(): string
  /** Sends an event before the answer; resolves when the receiver had its chance. */
  sendNow(event: ProviderEvent, delivery: Delivery): Promise<void>
  /** Tells that an event became due. */
  wakeSender(): void
}

/** The provider itself: idempotency, scripts, decisions, and one durable line per call. */
export class Core {
  readonly scripts = new ScriptBook()
  readonly #options: CoreOptions
  readonly #running = new Set<string>()

  constructor(options: CoreOptions) {
    this.#options = options
  }

  /**
   * Runs a command under its Idempotency-Key: the first answer is kept (errors of ours included)
   * and repeated for the same key and parameters; other parameters are an error; a key in use is
   * 409.
   */
  async run(key: string, command: Command): Promise<Reaction> {
    if (this.#running.has(key)) {
      const message = 'A request with this key is running; repeat it later.'
      return asAnswer(refusal(409, 'idempotency_in_progress', message))
    }
    const paramsHash = createHash('sha256').update(encode(command)).digest('hex')
    const saved = this.#savedAnswer(key)
    if (saved) {
      await this.#options.journal.flushed()
      return replay(saved, paramsHash)
    }
    this.#running.add(key)
    try {
      return await this.#first(key, paramsHash, command)
    } finally {
      this.#running.delete(key)
    }
  }

  /** The buyer completes a required action; not scripted, not keyed: pressing twice is refused. */
  async completeAction(intentId: string, result: 'succeed' | 'fail'): Promise<Answer> {
    return this.#unscripted(intentId, (intent, context) => decideAction(intent, result, context))
  }

  /** An operator of the provider settles a refund: the bank took it, or sent it back. */
  async settleRefund(refundId: string, outcome: 'succeeded' | 'failed'): Promise<Answer> {
    const refund = this.#options.state.refunds.get(refundId)
    if (!refund) return missing('refund')
    return this.#unscripted(refund.intentId, (intent, context) =>
      decideSettle(intent, refund, { ...context, outcome }),
    )
  }

  /** The script for a read, from the admin's book only. */
  scriptForRead(ref: string, operation: 'get' | 'find'): Script | undefined {
    return this.scripts.take(ref, operation)
  }

  /** The intent as it stands, or undefined. */
  intent(id: string): Intent | undefined {
    const intent = this.#options.state.intents.get(id)
    return intent && atTime(intent, this.#options.clock.now())
  }

  async #first(key: string, paramsHash: string, command: Command): Promise<Reaction> {
    const target = this.#target(command)
    if (!target) return asAnswer(missing('intent'))
    const { script, fired } = this.#scriptFor(command, target)
    const { now, context } = this.#context(script)
    const happens = script.effect === 'yes' || script.answer === 'declined'
    const changes: Change[] = fired ? [fired] : []
    let event: { readonly event: ProviderEvent; readonly delivery: Delivery | null } | undefined
    let kept: SavedAnswer | undefined
    if (happens) {
      const decision = this.#decide(command, context)
      event = this.#event(decision, script, now)
      kept = this.#keep({ key, paramsHash, answer: ownAnswer(script, decision.answer), now })
      changes.push(...decision.changes)
      if (event) changes.push({ kind: 'event', ...event })
    } else if (script.answer === 'http_500') {
      // A real provider also keeps an error of its own that came before any effect.
      kept = this.#keep({ key, paramsHash, answer: ownAnswer(script, API_ERROR), now })
    }
    if (kept) changes.push({ kind: 'answer', answer: kept })
    if (changes.length > 0) await this.#commit(now, changes)
    if (event?.delivery && script.webhook === 'before_answer') {
      await this.#options.sendNow(event.event, event.delivery)
    } else if (event?.delivery) {
      this.#options.wakeSender()
    }
    return react(script, kept)
  }

  #savedAnswer(key: string): SavedAnswer | undefined {
    const { answers } = this.#options.state
    const saved = answers.get(key)
    if (!saved) return undefined
    if (Date.parse(saved.expiresAt) > this.#options.clock.now().getTime()) return saved
    answers.delete(key)
    return undefined
  }

  /** What a command acts on; undefined for an intent that is not there. */
  #target(
    command: Command,
  ): { readonly ref: string; readonly intent: Intent | undefined } | undefined {
    if (command.operation === 'open') return { ref: command.ref, intent: undefined }
    const intent = this.intent(command.intentId)
    return intent && { ref: intent.ref, intent }
  }

  #scriptFor(
    command: Command,
    target: { readonly ref: string; readonly intent: Intent | undefined },
  ): { readonly script: Script; readonly fired: Change | undefined } {
    const { operation } = command
    const ordered = this.scripts.take(target.ref, operation)
    if (ordered) return { script: ordered, fired: undefined }
    const method = operation === 'confirm' ? command.method : (target.intent?.method ?? '')
    const meaning = parseMethod(method)
    const intentId = target.intent?.id
    if (meaning?.kind !== 'script' || meaning.operation !== operation || intentId === undefined) {
      return { script: NO_SCRIPT, fired: undefined }
    }
    if (this.#options.state.fired.has(firedKey(intentId, operation))) {
      return { script: NO_SCRIPT, fired: undefined }
    }
    return { script: meaning.script, fired: { kind: 'script-fired', intentId, operation } }
  }

  #decide(command: Command, context: DecisionContext): Decision {
    if (command.operation === 'open') return decideOpen(command, context)
    const intent = this.intent(command.intentId) as Intent
    switch (command.operation) {
      case 'confirm':
        return decideConfirm(intent, command.method, context)
      case 'capture':
        return decideCapture(intent, command.amountMinor, context)
      case 'cancel':
        return decideCancel(intent, context)
      case 'refund':
        return this.#decideRefund(intent, command, context)
      default:
        return unreachable(command)
    }
  }

  #decideRefund(
    intent: Intent,
    command: Extract<Command, { operation: 'refund' }>,
    context: DecisionContext,
  ): Decision {
    const { refundIdByRef, refunds } = this.#options.state
    const existing = refunds.get(refundIdByRef.get(command.refundRef) ?? '')
    if (!existing) return decideRefund(intent, command, context)
    const message = 'A refund with this reference exists.'
    const answer = refusal(400, 'invalid_state', message, {
      code: 'refund_exists',
      object: existing,
    })
    return { answer, changes: [], event: null }
  }

  async #unscripted(
    intentId: string,
    decide: (intent: Intent, context: DecisionContext) => Decision,
  ): Promise<Answer> {
    const intent = this.intent(intentId)
    if (!intent) return missing('intent')
    const { now, context } = this.#context(NO_SCRIPT)
    const decision = decide(intent, context)
    const event = this.#event(decision, NO_SCRIPT, now)
    const changes = [...decision.changes]
    if (event) changes.push({ kind: 'event', ...event })
    if (changes.length > 0) await this.#commit(now, changes)
    this.#options.wakeSender()
    return decision.answer
  }

  #context(script: Script): { readonly now: Date; readonly context: DecisionContext } {
    const now = this.#options.clock.now()
    return { now, context: { now, newId, publicUrl: this.#options.publicUrl(), script } }
  }

  #event(
    decision: Decision,
    script: Script,
    now: Date,
  ): { readonly event: ProviderEvent; readonly delivery: Delivery | null } | undefined {
    if (!decision.event) return undefined
    const { type, changed } = decision.event
    const told = script.webhook === 'wrong_amount' ? wronged(changed) : changed
    const event: ProviderEvent = {
      id: newId('evt'),
      type,
      account: ACCOUNT_ID,
      createdAt: now.toISOString(),
      data:
        'intentId' in told ? { kind: 'refund', object: told } : { kind: 'intent', object: told },
    }
    if (!this.#options.sendsWebhooks || script.webhook === 'never') return { event, delivery: null }
    const delayMs = webhookDelayMs(script, this.#options.lateWebhookMs)
    const notBefore = new Date(now.getTime() + delayMs).toISOString()
    const copies = script.webhook === 'twice' ? 2 : 1
    return { event, delivery: { eventId: event.id, copies, notBefore } }
  }

  #keep(input: {
    readonly key: string
    readonly paramsHash: string
    readonly answer: Answer
    readonly now: Date
  }): SavedAnswer {
    return {
      key: input.key,
      paramsHash: input.paramsHash,
      status: input.answer.status,
      body: encode(input.answer.body),
      expiresAt: new Date(input.now.getTime() + this.#options.keyLifetimeMs).toISOString(),
    }
  }

  async #commit(now: Date, changes: readonly Change[]): Promise<void> {
    // Applied before it is durable, so that the next decision sees it; nobody is answered before.
    for (const change of changes) apply(this.#options.state, change)
    await this.#options.journal.append(now.toISOString(), changes)
  }
}

/**
 * The sender's loop leaves an event alone that is sent before the answer, unless that try failed.
 */
const BEFORE_ANSWER_GRACE_MS = 6_000

function webhookDelayMs(script: Script, lateWebhookMs: number): number {
  if (script.webhook === 'late') return lateWebhookMs
  return script.webhook === 'before_answer' ? BEFORE_ANSWER_GRACE_MS : 0
}

const API_ERROR = refusal(500, 'api_error', 'Something went wrong on our side.')

/** The answer the provider itself gives and keeps, before the way back loses or garbles it. */
function ownAnswer(script: Script, decided: Answer): Answer {
  return script.answer === 'http_500' ? API_ERROR : decided
}

/** What the caller gets to see. */
function react(script: Script, kept: SavedAnswer | undefined): Reaction {
  switch (script.answer) {
    case 'timeout':
      return { kind: 'hang' }
    case 'reset':
      return { kind: 'reset' }
    case 'html_502':
      return { kind: 'html-502' }
    case 'http_409':
      return asAnswer(refusal(409, 'idempotency_in_progress', 'This key is in use.'))
    case 'http_429':
      return asAnswer(refusal(429, 'rate_limit', 'Too many requests.'))
    case 'unreadable_200':
      return { kind: 'answer', status: 200, body: '{"error":', replayed: false }
    case 'ok':
    case 'declined':
    case 'http_500':
      return kept
        ? { kind: 'answer', status: kept.status, body: kept.body, replayed: false }
        : asAnswer({ status: 200, body: API_ERROR.body })
    default:
      return unreachable(script.answer)
  }
}

function replay(saved: SavedAnswer, paramsHash: string): Reaction {
  if (saved.paramsHash === paramsHash) {
    return { kind: 'answer', status: saved.status, body: saved.body, replayed: true }
  }
  const message = 'This key was used with other parameters.'
  return asAnswer(refusal(400, 'idempotency_mismatch', message))
}

function asAnswer(answer: Answer): Reaction {
  return { kind: 'answer', status: answer.status, body: encode(answer.body), replayed: false }
}

function missing(what: string): Answer {
  return refusal(404, 'not_found', `There is no such ${what}.`)
}

function wronged(object: Intent | Refund): Intent | Refund {
  return { ...object, amountMinor: object.amountMinor + 1n }
}

function newId(prefix: string): string {
  return `${prefix}_sim_${randomBytes(12).toString('hex')}`
}
