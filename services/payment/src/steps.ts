import {
  type Clock,
  crashPoint,
  HOUR_MS,
  type PaymentId,
  present,
  type RefundId,
  unreachable,
} from '@holdfast/kernel'
import { type Logger, withSpan } from '@holdfast/telemetry'
import type { Heard } from './domain-attempt.ts'
import type { RefundHeard } from './domain-refund.ts'
import type { PaymentProvider, ProviderCall } from './provider.ts'
import type * as Store from './store.ts'
import type { StoreBase } from './store-base.ts'
import type { RefundTurn, RefundTurnResult, Turn, TurnRequest, TurnResult } from './store.ts'
import { providerCalls, providerCallTime } from './telemetry.ts'

/** What the steps work with, given by the composition root. */
export interface StepParts {
  readonly base: StoreBase
  readonly store: typeof Store
  readonly provider: PaymentProvider
  /** Longest wait for one answer of the provider; the lease outlives it. */
  readonly callLimitMs: number
  /** Called after something was written that the outbox tells. */
  readonly onWritten: () => void
  readonly clock: Clock
  readonly log: Logger
}

/**
 * How a run ended: at rest, at rest with an answer that only a person can act on, or because
 * somebody else is at it.
 */
export type RunEnd = 'rest' | 'stuck' | 'busy'

/**
 * Talks to the provider about one payment or refund at a time. Each call is written down before it
 * is made, and its answer is written before the next; no transaction is open meanwhile.
 */
export interface Steps extends AsyncDisposable {
  /** Runs what is wanted to its rest. Fails as `takeTurn` does, and when the database is away. */
  run(request: TurnRequest): Promise<RunEnd>
  /** Sends or looks up a refund until it rests. */
  runRefund(refundId: RefundId): Promise<RunEnd>
}

/** Bound on calls of one run: open, confirm, look, repeat, look, and one to spare. */
const CALLS_MAX = 6
/** How far the provider's clock may be behind the database's when intents are searched by time. */
const CLOCK_SKEW_MS = HOUR_MS
/**
 * A lease outlives a call by this; it is also how late after its turn began a call may still start.
 */
export const LEASE_MARGIN_MS = 3_000

/** Creates the steps. Disposing waits for the runs under way, so that their answers are kept. */
export function createSteps(parts: StepParts): Steps {
  const running = new Set<Promise<RunEnd>>()
  const track = (run: Promise<RunEnd>): Promise<RunEnd> => {
    running.add(run)
    void run.catch(() => undefined).finally(() => running.delete(run))
    return run
  }
  return {
    run: (request) => track(runPayment(parts, request)),
    runRefund: (refundId) => track(runRefund(parts, refundId)),
    [Symbol.asyncDispose]: async () => {
      await Promise.allSettled(running)
    },
  }
}

async function runPayment(parts: StepParts, request: TurnRequest): Promise<RunEnd> {
  const { store, base, clock } = parts
  let startedAtMs = clock.monotonicMs()
  let turn: TurnResult = await store.takeTurn(base, request)
  for (let calls = 0; turn.kind === 'call' && calls < CALLS_MAX; calls += 1) {
    if (isStale(parts, startedAtMs)) return 'busy'
    const heard: Heard = await askPayment(parts, turn)
    startedAtMs = clock.monotonicMs()
    turn = await store.settleTurn(base, turn, heard)
    parts.onWritten()
  }
  // A turn taken but not used ends with its lease; the resolver goes on from there.
  if (turn.kind !== 'rest') return 'busy'
  return turn.isStuck ? 'stuck' : 'rest'
}

async function runRefund(parts: StepParts, refundId: RefundId): Promise<RunEnd> {
  const { store, base, clock } = parts
  let startedAtMs = clock.monotonicMs()
  let turn: RefundTurnResult = await store.takeRefundTurn(base, refundId)
  for (let calls = 0; turn.kind === 'call' && calls < CALLS_MAX; calls += 1) {
    if (isStale(parts, startedAtMs)) return 'busy'
    const heard: RefundHeard = await askRefund(parts, turn)
    startedAtMs = clock.monotonicMs()
    turn = await store.settleRefundTurn(base, turn, heard)
    parts.onWritten()
  }
  return turn.kind === 'rest' ? 'rest' : 'busy'
}

/** A process that was paused since it took its turn no longer has the time for a call. */
function isStale(parts: StepParts, startedAtMs: number): boolean {
  return parts.clock.monotonicMs() - startedAtMs > LEASE_MARGIN_MS / 2
}

function askPayment(parts: StepParts, turn: Turn): Promise<Heard> {
  const step = turn.call.kind === 'send' ? turn.call.step : turn.call.kind
  const { paymentId } = turn.facts
  return timed(parts, { step, paymentId }, async (call) => {
    const heard = await performPayment(parts.provider, turn, call)
    return { heard, outcome: heard.outcome.kind }
  })
}

async function performPayment(
  provider: PaymentProvider,
  turn: Turn,
  call: ProviderCall,
): Promise<Heard> {
  const { facts } = turn
  const { paymentId, currency, amountMinor } = facts
  if (turn.call.kind === 'find-open') {
    const since = new Date(facts.stateSince.getTime() - CLOCK_SKEW_MS)
    const outcome = await provider.findOpen(paymentId, since, call)
    return { kind: 'found', outcome }
  }
  const heard = (outcome: Awaited<ReturnType<PaymentProvider['get']>>): Heard => ({
    kind: 'intent',
    call: turn.call as Exclude<Turn['call'], { kind: 'find-open' }>,
    outcome,
  })
  if (turn.call.kind === 'send' && turn.call.step === 'open') {
    const key = keyOf(paymentId, turn.call)
    return heard(await provider.open({ ref: paymentId, currency, amountMinor, key }, call))
  }
  const intentId = present(facts.intentId, "the provider's id of a payment")
  if (turn.call.kind === 'get') return heard(await provider.get(intentId, call))
  const key = keyOf(paymentId, turn.call)
  switch (turn.call.step) {
    case 'confirm': {
      const methodToken = present(turn.methodToken, 'the method token of a confirm')
      const { returnUrl } = turn
      return heard(await provider.confirm({ intentId, methodToken, returnUrl, key }, call))
    }
    case 'capture':
      return heard(await provider.capture({ intentId, amountMinor, key }, call))
    case 'cancel':
      return heard(await provider.cancel({ intentId, key }, call))
    case 'open':
    case 'refund':
      throw new Error('These steps are not taken here.')
    default:
      return unreachable(turn.call.step)
  }
}

function askRefund(parts: StepParts, turn: RefundTurn): Promise<RefundHeard> {
  const { provider } = parts
  const { call: asked, facts, intentId } = turn
  const { refundId, amountMinor } = facts
  const step = asked.kind === 'send' ? 'refund' : 'find-refund'
  return timed(parts, { step, paymentId: facts.paymentId }, async (call) => {
    const outcome =
      asked.kind === 'find'
        ? await provider.findRefund(refundId, call)
        : await provider.refund(
            {
              intentId,
              refundRef: refundId,
              amountMinor,
              key: keyOf(refundId, { step: 'refund', n: asked.n }),
            },
            call,
          )
    return { heard: { call: asked, outcome }, outcome: outcome.kind }
  })
}

/** The key a step is sent under, the same for each repeat of the attempt. */
function keyOf(
  subject: PaymentId | RefundId,
  attempt: { readonly step: string; readonly n: number },
): string {
  return `${subject}:${attempt.step}:${attempt.n}`
}

async function timed<T>(
  parts: StepParts,
  about: { readonly step: string; readonly paymentId: PaymentId },
  ask: (call: ProviderCall) => Promise<{ readonly heard: T; readonly outcome: string }>,
): Promise<T> {
  const { clock, log, provider } = parts
  const { step, paymentId } = about
  const startedAtMs = clock.monotonicMs()
  crashPoint(`payment.${step}.written`)
  const name = `payment.provider.${step}`
  return withSpan({ name, role: 'client', attributes: { step, paymentId } }, async () => {
    // The caller may be gone before the answer comes; it is waited for all the same, to be known.
    const signal = AbortSignal.timeout(parts.callLimitMs)
    const { heard, outcome } = await ask({ signal })
    crashPoint(`payment.${step}.answered`)
    providerCalls.add(1, { provider: provider.name, step, outcome })
    providerCallTime.record(clock.monotonicMs() - startedAtMs, { provider: provider.name, step })
    if (outcome !== 'known') log.info('The provider did not say yes', { step, paymentId, outcome })
    return heard
  })
}
