import { type Clock, IllegalState, InvalidInput, NotFound, type OrderId } from '@holdfast/kernel'
import { scopeFor } from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'
import {
  type TemporalLink,
  WORKFLOW_GONE,
  signalWorkflow,
  startWorkflowEagerly,
  updateWorkflow,
} from '@holdfast/temporal'
import {
  MESSAGES,
  type ResolveParkAnswer,
  type ResolveParkInput,
  WORKFLOW_TYPES,
  checkoutWorkflowId,
  refundWorkflowId,
} from '@holdfast/workflows/contract'
import type { CallScope, Peers } from './clients.ts'
import { type Order, isLive } from './domain.ts'
import { runOf } from './domain-park.ts'
import type {
  PokeRun,
  SendDecision,
  SentDecision,
  StartOrder,
  StartOutcome,
  StartRefund,
} from './domain-start.ts'
import { purchaseTexts, refundTexts } from './domain-texts.ts'
import type { MakePayment } from './service-parts.ts'
import * as store from './store.ts'
import { ordersWithoutRun } from './telemetry.ts'

/** What takes orders from their rows to their runs. */
export interface RunParts {
  readonly db: store.PrimaryDb
  readonly peers: Peers
  readonly sealed: store.SealedStore
  readonly makePayment: MakePayment
  readonly link: TemporalLink
  readonly taskQueue: string
  readonly changed: (orderId: OrderId) => void
  readonly clock: Clock
  readonly log: Logger
}

/** Limit of a signal, which is only a hint, ms. */
const POKE_MS = 500

/** Who opens a payment method, for the audit: nobody but the jobs needs to. */
const OPENER = { actor: 'checkout-jobs', purpose: 'CreatePayment' }

/** Takes orders further: pays, claims the cart and starts the run, joining one under way. */
export function createStarter(parts: RunParts): StartOrder {
  return async (given, limitMs) => {
    const orderId = typeof given === 'string' ? given : given.orderId
    try {
      const order = typeof given === 'string' ? await store.readOrder(parts.db, given) : given
      return await startOrder(parts, order, limitMs)
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error))
      parts.log.warn('An order could not be taken further yet', { orderId, failure })
      return 'later'
    }
  }
}

async function startOrder(parts: RunParts, order: Order, limitMs: number): Promise<StartOutcome> {
  if (!isLive(order.state)) return 'gone-on'
  if (order.state !== 'PENDING') return startRun(parts, order, limitMs)
  if (order.paymentState === undefined) return payAndStart(parts, order.orderId, limitMs)
  if (order.claimVersion !== undefined) return startRun(parts, order, limitMs)
  const claimed = await claimCart(parts, order, limitMs)
  return typeof claimed === 'string' ? claimed : startRun(parts, claimed, limitMs)
}

/** Makes the payment whose caller did not: what it takes is in the row, sealed. */
async function payAndStart(
  parts: RunParts,
  orderId: OrderId,
  limitMs: number,
): Promise<StartOutcome> {
  const order = await store.readWholeOrder(parts.db, orderId)
  const asked = { orderId, subject: order.shipToSubject, opener: OPENER }
  const method = await parts.sealed.openPaymentMethod(asked)
  // Somebody else made the payment just now, or its row keeps no method: the next look tells.
  if (method === undefined) return 'later'
  const scope = scopeFor({ timeoutMs: limitMs, clock: parts.clock })
  const paid = await parts.makePayment(order, method, scope)
  return paid === undefined ? 'gone-on' : startOrder(parts, paid, limitMs)
}

async function claimCart(
  parts: RunParts,
  order: Order,
  limitMs: number,
): Promise<Order | StartOutcome> {
  const scope = scopeFor({ timeoutMs: limitMs, clock: parts.clock })
  try {
    const claimVersion = await claimForOwner(parts, order, scope)
    return (await store.noteClaim(parts.db, order, claimVersion)) ?? 'later'
  } catch (error) {
    if (!isRefusal(error)) throw error
    const by = { kind: 'SERVICE', actor: 'checkout', reason: 'CART_CHANGED' } as const
    if (!(await store.endUnclaimed(parts.db, order.orderId, by))) return 'later'
    parts.changed(order.orderId)
    return 'rejected'
  }
}

/**
 * Claims in the name the cart bears. A buyer that logged in has the order under its account while
 * the cart may still be the guest's: that it is the buyer's own was proven when it was quoted.
 */
async function claimForOwner(parts: RunParts, order: Order, scope: CallScope): Promise<bigint> {
  const { cart } = parts.peers
  const { buyerId, cartVersion: expectedVersion } = order
  try {
    return await cart.claim({ ...order, buyerId, expectedVersion }, scope)
  } catch (error) {
    // Under the other name it was claimed before (KEY_REUSED), or is still to be (NotFound).
    if (!(error instanceof NotFound) && !(error instanceof InvalidInput)) throw error
    const owner = (await cart.readCart(order.cartId, scope)).buyerId
    if (owner === buyerId) throw error
    return cart.claim({ ...order, buyerId: owner, expectedVersion }, scope)
  }
}

/** True when the cart cannot be claimed for certain: changed, gone, or another order's. */
function isRefusal(error: unknown): boolean {
  return error instanceof IllegalState || error instanceof NotFound
}

async function startRun(parts: RunParts, order: Order, limitMs: number): Promise<StartOutcome> {
  const { orderId } = order
  const answer = await startWorkflowEagerly(parts.link, {
    workflowType: WORKFLOW_TYPES.checkout,
    workflowId: checkoutWorkflowId(orderId),
    taskQueue: parts.taskQueue,
    input: { orderId },
    searchAttributes: attributesOf(order),
    ...purchaseTexts(order),
    limitMs,
  })
  if (answer !== 'over-already') return answer === 'unknown' ? 'later' : 'started'
  return lookAtOrderWithoutRun(parts, orderId)
}

/** The run of this id is over. Usually the order is too; if it is not, a person has to look. */
async function lookAtOrderWithoutRun(parts: RunParts, orderId: OrderId): Promise<StartOutcome> {
  const order = await store.readOrder(parts.db, orderId)
  if (!isLive(order.state)) return 'gone-on'
  ordersWithoutRun.add(1, { state: order.state })
  parts.log.error('A live order has no run: reset its workflow', { orderId, state: order.state })
  return 'later'
}

/** Hints to runs that their order's row has moved. */
export function createPoker(parts: Pick<RunParts, 'link'>): PokeRun {
  return async (orderId) => {
    try {
      const workflowId = checkoutWorkflowId(orderId)
      const signal = { workflowId, name: MESSAGES.orderMoved, limitMs: POKE_MS }
      await signalWorkflow(parts.link, signal)
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error))
      parts.link.log.info('A hint was not sent', { orderId, failure })
    }
  }
}

/** Starts refunds of orders. */
export function createRefunder(parts: RunParts): StartRefund {
  return async (orderId, limitMs) => {
    const order = await store.readOrder(parts.db, orderId)
    const answer = await startWorkflowEagerly(parts.link, {
      workflowType: WORKFLOW_TYPES.refund,
      workflowId: refundWorkflowId(orderId),
      taskQueue: parts.taskQueue,
      input: { orderId },
      searchAttributes: attributesOf(order),
      ...refundTexts(order),
      limitMs,
    })
    if (answer !== 'over-already' || order.refundedAt !== undefined) return answer !== 'unknown'
    ordersWithoutRun.add(1, { state: order.state })
    parts.log.error('A refund has no run: reset its workflow', { orderId, state: order.state })
    return false
  }
}

/** Sends operators' decisions to runs, and closes the park when the run took one over. */
export function createDecisionSender(parts: RunParts): SendDecision {
  return async (decision, limitMs) => {
    const { orderId, parkSeq, action, step } = decision
    const input: ResolveParkInput = { park_seq: parkSeq, action }
    const outcome = await updateWorkflow<ResolveParkAnswer>(parts.link, {
      workflowId:
        runOf(step) === 'refund' ? refundWorkflowId(orderId) : checkoutWorkflowId(orderId),
      name: MESSAGES.resolvePark,
      updateId: `park-${parkSeq}`,
      input,
      limitMs,
    })
    if (outcome.kind === 'unknown') return 'pending'
    if (outcome.kind === 'refused' && !(await isPast(parts, decision, outcome.reason))) {
      return 'pending'
    }
    await store.closePark(parts.db, { orderId, parkSeq })
    parts.changed(orderId)
    return 'applied'
  }
}

/** True when a refused decision has nothing left to decide, because what it was about is over. */
async function isPast(parts: RunParts, decision: SentDecision, reason: string): Promise<boolean> {
  const { orderId, step } = decision
  const order = await store.readOrder(parts.db, orderId)
  const isRefund = runOf(step) === 'refund'
  const isOver = isRefund ? order.refundedAt !== undefined : !isLive(order.state)
  if (!isOver && reason === WORKFLOW_GONE) {
    ordersWithoutRun.add(1, { state: order.state })
    parts.log.error('A parked order has no run: reset its workflow', { orderId, step })
  }
  return isOver
}

function attributesOf(order: Order) {
  return {
    HoldfastBuyerId: order.buyerId,
    HoldfastSellerIds: order.sellerIds,
    HoldfastPaymentId: order.paymentId,
  }
}
