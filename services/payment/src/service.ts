import {
  type Clock,
  IllegalState,
  InvalidInput,
  isId,
  NotFound,
  type OrderId,
  OutcomeUnknown,
  parseId,
  type PaymentId,
  present,
  type RefundId,
  Unavailable,
} from '@holdfast/kernel'
import type { PaymentServiceDefinition } from '@holdfast/proto/payment'
import {
  type CallContext,
  type createPageTokens,
  type PageScope,
  principalsOf,
  requireSeller,
  type RpcHandlers,
} from '@holdfast/rpc'
import { isUnresolved, type Payment, splitFault, type SubOrderSplit } from './domain.ts'
import type { Want } from './domain-attempt.ts'
import { PAGE_SIZE_DEFAULT, type schemas } from './schema.ts'
import {
  balanceMessage,
  entryMessage,
  PARK_REASONS,
  parkedMessage,
  paymentMessage,
  refundMessage,
  refundReasonOf,
} from './service-wire.ts'
import type { RunEnd, Steps } from './steps.ts'
import type * as Store from './store.ts'
import type { StoreBase } from './store-base.ts'

/** What the handlers work with, given by the composition root. */
export interface PaymentParts {
  readonly base: StoreBase
  readonly store: typeof Store
  readonly steps: Steps
  readonly pageTokens: ReturnType<typeof createPageTokens>
  readonly clock: Clock
}

type Handlers = RpcHandlers<PaymentServiceDefinition, typeof schemas>

/** Kept of a caller's time to read the payment and answer, in ms. */
const ANSWER_MARGIN_MS = 200
/** Less time than this is not enough for anything but reading, in ms. */
const TIME_NEEDED_MS = 300
/** Between looks while another caller talks to the provider about the same payment, in ms. */
const BUSY_POLL_MS = 100

/** The RPCs of PaymentService. */
export function createHandlers(parts: PaymentParts): Handlers {
  return { ...moneyHandlers(parts), ...ledgerHandlers(parts), ...operatorHandlers(parts) }
}

function moneyHandlers(parts: PaymentParts) {
  const { base, store } = parts
  return {
    createPayment: async (request, call) => {
      const { paymentId, orderId, buyerId, returnUrl } = request
      const methodToken = request.paymentMethodToken
      const splits = checkedSplits(request)
      const payment = await store.createPayment(base, {
        paymentId,
        orderId,
        buyerId,
        currency: request.amount.currencyCode,
        amountMinor: request.amount.minor,
        methodToken,
        returnUrl,
        splits,
        key: call.requestKey(request.requestId),
      })
      return { payment: paymentMessage(payment) }
    },
    authorizePayment: async (request, call) => {
      const { payment } = await runVerb(parts, call, request, 'authorize')
      return { payment: paymentMessage(payment) }
    },
    capturePayment: async (request, call) => {
      const { currencyCode, minor } = request.amount
      const { currency, amountMinor } = await store.readPayment(
        base.db,
        request.paymentId,
        request.orderId,
      )
      const isWhole = currencyCode === currency && minor === amountMinor
      if (!isWhole) throw amountMismatch('amount', "must be the payment's amount")
      const { payment } = await runVerb(parts, call, request, 'capture')
      return { payment: paymentMessage(payment) }
    },
    voidPayment: async (request, call) => ({
      payment: paymentMessage(await voidPayment(parts, call, request)),
    }),
    refundPayment: async (request, call) => {
      const { refundId, paymentId, orderId } = request
      await store.requestRefund(base, {
        refundId,
        paymentId,
        orderId,
        currency: request.amount.currencyCode,
        amountMinor: request.amount.minor,
        reason: refundReasonOf(request.reason),
        key: call.requestKey(request.requestId),
      })
      await untilRest(parts, call, () => parts.steps.runRefund(refundId))
      const payment = await store.readPayment(base.db, paymentId, orderId)
      const refunds = await store.listRefunds(base.db, paymentId)
      const refund = refunds.find((one) => one.refundId === refundId)
      return {
        refund: refundMessage(present(refund, 'the requested refund')),
        payment: paymentMessage(payment),
      }
    },
    getPayment: async (request) => {
      const payment = await store.readPayment(base.db, request.paymentId)
      const refunds = await store.listRefunds(base.db, request.paymentId)
      return { payment: paymentMessage(payment), refunds: refunds.map(refundMessage) }
    },
  } satisfies Partial<Handlers>
}

function ledgerHandlers({ base, store, pageTokens, clock }: PaymentParts) {
  return {
    getBalance: async (request, call) => {
      const sellerId = ownSeller(call, request.sellerId)
      const { balances, asOf } = await store.readBalances(
        base.db,
        sellerId ?? null,
        request.currencyCode,
      )
      return { balances: balances.map(balanceMessage), asOfTime: asOf }
    },
    listLedgerEntries: async (request, call) => {
      const sellerId = ownSeller(call, request.sellerId)
      const { paymentId } = request
      const scope = pageScope(call, JSON.stringify([sellerId ?? '', paymentId ?? '']))
      const nowMs = clock.now().getTime()
      const lastId = pageTokens.open(request.pageToken, scope, nowMs)
      const size = request.pageSize === 0 ? PAGE_SIZE_DEFAULT : request.pageSize
      const entries = await store.listEntries(base.db, {
        sellerId,
        paymentId,
        beforeId: lastId !== undefined && isId('ledgerEntry', lastId) ? lastId : undefined,
        max: size + 1,
      })
      if (paymentId !== undefined && lastId === undefined && entries.length === 0) {
        // I17: a seller learns of no payment without entries of its own.
        if (sellerId !== undefined) throw store.paymentNotFound()
        await store.readPayment(base.db, paymentId)
      }
      const page = entries.slice(0, size)
      const last = page.at(-1)
      const hasMore = entries.length > size && last !== undefined
      return {
        entries: page.map(entryMessage),
        nextPageToken: hasMore ? pageTokens.seal(last.entryId, scope, nowMs) : '',
      }
    },
  } satisfies Partial<Handlers>
}

function operatorHandlers({ base, store, pageTokens, clock }: PaymentParts) {
  return {
    listParked: async (request, call) => {
      const scope = pageScope(call, '')
      const nowMs = clock.now().getTime()
      const lastId = pageTokens.open(request.pageToken, scope, nowMs)
      const size = request.pageSize === 0 ? PAGE_SIZE_DEFAULT : request.pageSize
      const afterId = lastId === undefined ? undefined : parsedParkedId(lastId)
      const parked = await store.listParked(base.db, { afterId, max: size + 1 })
      const page = parked.slice(0, size)
      const last = parked.length > size ? page.at(-1) : undefined
      return {
        parked: page.map(parkedMessage),
        nextPageToken: last === undefined ? '' : pageTokens.seal(last.id, scope, nowMs),
      }
    },
    retryParked: async (request, call) => {
      const { parkedId } = request
      const paymentId = await store.retryParked(base, {
        parkedId,
        expectedVersion: request.expectedVersion,
        actor: principalsOf(call.caller)[0],
        why: request.reason,
        key: call.requestKey(request.requestId),
      })
      const payment = await store.readPayment(base.db, paymentId)
      const refunds = await store.listRefunds(base.db, paymentId)
      const refund = refunds.find((one) => one.refundId === parkedId)
      return {
        payment: paymentMessage(payment),
        refund: refund === undefined ? undefined : refundMessage(refund),
      }
    },
  } satisfies Partial<Handlers>
}

function parsedParkedId(text: string): PaymentId | RefundId {
  return isId('refund', text) ? text : parseId('payment', text, 'page_token')
}

function pageScope(call: CallContext, filter: string): PageScope {
  return { principal: principalsOf(call.caller)[0], method: call.method, filter }
}

interface Verb {
  readonly requestId: string
  readonly paymentId: PaymentId
  readonly orderId: OrderId
}

/** A payment after a verb, and how the last run of it ended. */
interface VerbEnd {
  readonly payment: Payment
  readonly end: 'rest' | 'stuck' | 'late'
}

/**
 * Runs a verb until the payment rests or the caller's time is nearly over, and answers the payment
 * as it is then: an unknown outcome is a state that ends in ING, never an error.
 */
async function runVerb(
  parts: PaymentParts,
  call: CallContext,
  verb: Verb,
  want: Want,
): Promise<VerbEnd> {
  const { paymentId, orderId } = verb
  const key = call.requestKey(verb.requestId)
  const end = await untilRest(parts, call, () => parts.steps.run({ paymentId, orderId, want, key }))
  const payment = await parts.store.readPayment(parts.base.db, paymentId, orderId)
  // AUTHORIZED means that the provider refused to capture; a turn not had yet must not look so.
  if (want === 'capture' && end === 'late' && payment.state === 'AUTHORIZED') {
    throw new OutcomeUnknown('The capture may still begin; repeat it with the same request_id.')
  }
  return { payment, end }
}

async function voidPayment(parts: PaymentParts, call: CallContext, verb: Verb): Promise<Payment> {
  const { payment, end } = await voidMadePayment(parts, call, verb)
  const { state, parkedReason } = payment
  // The provider has just said what only a person can act on: the caller need not ask again.
  if (end === 'stuck' && parkedReason !== null) {
    const text = 'The payment waits for an operator, who finds it by ListParked; do not repeat.'
    throw new IllegalState(PARK_REASONS[parkedReason], text, { state })
  }
  if (isUnresolved(state) && state !== 'VOIDING') throw parts.store.wrongState(payment)
  return payment
}

async function voidMadePayment(
  parts: PaymentParts,
  call: CallContext,
  verb: Verb,
): Promise<VerbEnd> {
  try {
    return await runVerb(parts, call, verb, 'void')
  } catch (error) {
    if (!(error instanceof NotFound)) throw error
    const isEntombed = await parts.store.entombPayment(parts.base, verb)
    // It was made while this call looked for it.
    if (!isEntombed) return runVerb(parts, call, verb, 'void')
    const payment = await parts.store.readPayment(parts.base.db, verb.paymentId, verb.orderId)
    return { payment, end: 'rest' }
  }
}

/**
 * Runs and waits while somebody else is at it, until the rest; `late` when time was over before.
 */
async function untilRest(
  parts: PaymentParts,
  call: CallContext,
  run: () => Promise<RunEnd>,
): Promise<VerbEnd['end']> {
  const { clock } = parts
  const leftMs = () => call.deadlineAtMs - clock.monotonicMs() - ANSWER_MARGIN_MS
  if (leftMs() < TIME_NEEDED_MS - ANSWER_MARGIN_MS) {
    throw new Unavailable('DEADLINE_TOO_SHORT', 'The time left is too short; nothing was done.')
  }
  while (leftMs() > 0) {
    const late = new AbortController()
    const isOver = clock.sleep(leftMs(), late.signal).then(() => 'late' as const)
    // A run that is left behind goes on and writes down what it hears.
    const end = await Promise.race([run(), isOver])
    late.abort()
    if (end !== 'busy') return end
    await clock.sleep(Math.min(BUSY_POLL_MS, Math.max(leftMs(), 0)))
  }
  return 'late'
}

function checkedSplits(
  request: Parameters<Handlers['createPayment']>[0],
): readonly SubOrderSplit[] {
  const { currencyCode, minor } = request.amount
  const splits = request.splits.map((split): SubOrderSplit => {
    const { subOrderId, sellerId, ...parts } = split
    if (Object.values(parts).some((money) => money.currencyCode !== currencyCode)) {
      const description = "must be in the amount's currency"
      const violations = [{ field: 'splits', description }]
      throw new InvalidInput(`splits ${description}.`, violations, 'CURRENCY_MISMATCH')
    }
    return {
      subOrderId,
      sellerId,
      goodsMinor: parts.goods.minor,
      shippingMinor: parts.shipping.minor,
      sellerTaxMinor: parts.sellerTax.minor,
      platformTaxMinor: parts.platformTax.minor,
      commissionMinor: parts.commission.minor,
      commissionTaxMinor: parts.commissionTax.minor,
    }
  })
  const fault = splitFault(minor, splits)
  if (fault !== undefined) throw amountMismatch('splits', SPLIT_FAULTS[fault])
  return splits
}

const SPLIT_FAULTS = {
  SUM: 'must sum to the amount',
  SELLER_SHARE: "must leave each seller's share at 0 or more",
  TWICE: 'must name each sub-order once',
} as const

function amountMismatch(field: string, description: string): InvalidInput {
  const violations = [{ field, description }]
  return new InvalidInput(`${field} ${description}.`, violations, 'AMOUNT_MISMATCH')
}

/** The seller asked for: a member names its own, an operator any or none. */
function ownSeller<T extends Parameters<typeof requireSeller>[1]>(
  call: CallContext,
  sellerId: T | undefined,
): T | undefined {
  if (sellerId !== undefined) {
    requireSeller(call.caller, sellerId)
    return sellerId
  }
  if (call.caller.kind !== 'seller') return undefined
  const description = 'is required from members of a seller'
  throw new InvalidInput(`seller_id ${description}.`, [{ field: 'seller_id', description }])
}
