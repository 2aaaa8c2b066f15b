import { parseId } from '@holdfast/kernel'
import { type CallContext, type RpcHandlers, principalsOf } from '@holdfast/rpc'
import {
  type CheckoutServiceDefinition,
  ResolveParkedOrderResponse_Status,
} from '@holdfast/proto/checkout'
import { parkActionOf, parkMessage } from './service-wire.ts'
import { type CheckoutParts, PARKS_FILTER, buyerIdsOf, changedBy } from './service-parts.ts'
import { placeOrder } from './service-place.ts'
import { createQuote } from './service-quote.ts'
import { answerOrder, getOrder, listOrders, watchOrder } from './service-read.ts'
import type { schemas } from './schema.ts'

export type { CheckoutParts } from './service-parts.ts'

type Handlers = RpcHandlers<CheckoutServiceDefinition, typeof schemas>

/** Longest wait for an operator's decision to reach its run, ms, within the call's deadline. */
const DECISION_MS_MAX = 5_000

/** The RPCs of CheckoutService. */
export function createHandlers(parts: CheckoutParts): Handlers {
  return {
    createQuote: (request, call) => createQuote(parts, request, call),
    placeOrder: (request, call) => placeOrder(parts, request, call),
    getOrder: (request, call) => getOrder(parts, request, call),
    watchOrder: (request, call) => watchOrder(parts, request, call),
    listOrders: (request, call) => listOrders(parts, request, call),
    ...operatorHandlers(parts),
    cancelOrder: async ({ orderId, requestId }, call) => {
      const isOperator = call.caller.kind === 'operator'
      const cancelled = await parts.store.cancelOrder(parts.db, {
        orderId,
        buyerIds: isOperator ? undefined : buyerIdsOf(call.caller),
        by: changedBy(call.caller),
        key: call.requestKey(requestId),
      })
      parts.waiters.changed(orderId)
      // The row says it all; the hint only spares the run its wait.
      await parts.pokeRun(orderId)
      return { order: await answerOrder(parts, cancelled.orderId) }
    },
  }
}

function operatorHandlers(parts: CheckoutParts) {
  const { db, store, pageTokens, clock } = parts
  return {
    listParkedOrders: async ({ pageSize, pageToken }, call) => {
      const scope = pageScope(call)
      const nowMs = clock.now().getTime()
      const after = placeOf(pageTokens.open(pageToken, scope, nowMs))
      const parks = await store.listOpenParks(db, { after, rowsMax: pageSize + 1 })
      const shown = parks.slice(0, pageSize)
      const last = parks.length > pageSize ? shown.at(-1) : undefined
      const nextPageToken =
        last === undefined
          ? ''
          : pageTokens.seal(`${last.parkedAt.toISOString()} ${last.orderId}`, scope, nowMs)
      return { parkedOrders: shown.map(parkMessage), nextPageToken }
    },
    resolveParkedOrder: async (request, call) => {
      const { orderId, requestId, reason } = request
      const decision = {
        orderId,
        parkSeq: Number(request.parkSeq),
        action: parkActionOf(request.action),
        why: reason,
        by: changedBy(call.caller),
        key: call.requestKey(requestId),
      }
      const park = await store.decidePark(db, decision)
      const leftMs = call.deadlineAtMs - clock.monotonicMs()
      const limitMs = Math.max(100, Math.min(DECISION_MS_MAX, leftMs / 2))
      const sent = { ...decision, step: park.step }
      const isApplied = park.isClosed || (await parts.sendDecision(sent, limitMs)) === 'applied'
      const { APPLIED, ACCEPTED_PENDING } = ResolveParkedOrderResponse_Status
      return {
        status: isApplied ? APPLIED : ACCEPTED_PENDING,
        order: await answerOrder(parts, orderId),
      }
    },
  } satisfies Partial<Handlers>
}

function pageScope(call: CallContext) {
  const [principal] = principalsOf(call.caller)
  return { principal, method: call.method, filter: PARKS_FILTER }
}

function placeOf(key: string | undefined) {
  if (key === undefined) return undefined
  const [parkedAt = '', orderId = ''] = key.split(' ')
  return { parkedAt: new Date(parkedAt), orderId: parseId('order', orderId, 'page_token') }
}
