import { type AccountId, NotFound, type SellerId, unreachable } from '@holdfast/kernel'
import {
  ApplySellerResponse,
  ApproveSellerResponse,
  RejectSellerResponse,
  ReinstateSellerResponse,
  ReviewRequirementRequest_Decision as Decision,
  ReviewRequirementResponse,
  type SellerServiceDefinition,
  SubmitRequirementResponse,
  SuspendSellerResponse,
} from '@holdfast/proto/seller'
import type { Caller, RpcHandlers } from '@holdfast/rpc'
import type { Requirement, Seller, SellerDetail } from './domain.ts'
import type { schemas } from './schema.ts'
import { type SellerParts, askOf } from './service-ask.ts'
import { offerHandlers } from './service-offers.ts'
import { requirementMessage, sellerMessage } from './service-wire.ts'

export type { SellerParts } from './service-ask.ts'

/** A handler for each RPC of SellerService. */
export type SellerHandlers = RpcHandlers<SellerServiceDefinition, typeof schemas>

/** The RPCs of SellerService: each checks the tenant, calls one store function and encodes. */
export function createHandlers(parts: SellerParts): SellerHandlers {
  return { ...joinHandlers(parts), ...decisionHandlers(parts), ...offerHandlers(parts) }
}

function joinHandlers(parts: SellerParts) {
  const { db, store, vault, newId } = parts
  return {
    applySeller: async (request, call) => {
      const { requestId, ...said } = request
      const accountId = accountOf(call.caller)
      const codec = ApplySellerResponse
      const ask = askOf(parts, call, { requestId, codec, answer: detailAnswer })
      return store.applySeller(db, ask, { ...said, accountId, sellerId: newId('seller') })
    },
    getSeller: async (request, call) => {
      const detail = await store.readSeller(db, request.sellerId)
      if (detail === undefined || !mayRead(call.caller, detail.seller)) throw sellerNotFound()
      return detailAnswer(detail)
    },
    submitRequirement: async (request, call) => {
      const { requestId, ...submission } = request
      const codec = SubmitRequirementResponse
      const ask = askOf(parts, call, { requestId, codec, answer: requirementAnswer })
      return store.submitRequirement(db, vault, ask, {
        sellerId: submission.sellerId,
        requirementId: submission.requirementId,
        answers: submission.answers,
        expectedVersion: submission.expectedVersion,
        maySubmitFor: (seller) => isParty(call.caller, seller),
      })
    },
    reviewRequirement: async (request, call) => {
      const { requestId, sellerId, requirementId, reason, expectedVersion } = request
      const codec = ReviewRequirementResponse
      const ask = askOf(parts, call, { requestId, codec, answer: requirementAnswer })
      return store.reviewRequirement(db, ask, {
        sellerId,
        requirementId,
        to: decidedState(request.decision),
        reason,
        waiveUntil: request.waiveUntilTime,
        expectedVersion,
      })
    },
  } satisfies Partial<SellerHandlers>
}

function decisionHandlers(parts: SellerParts) {
  const { db, store } = parts
  return {
    approveSeller: async (request, call) => {
      const { requestId, sellerId, expectedVersion, commissionBasisPoints } = request
      const codec = ApproveSellerResponse
      const ask = askOf(parts, call, { requestId, codec, answer: sellerAnswer })
      return store.decideSeller(db, ask, {
        sellerId,
        from: 'IN_REVIEW',
        to: 'ACTIVE',
        expectedVersion,
        reason: 'approved',
        commissionBasisPoints,
      })
    },
    rejectSeller: async ({ requestId, ...verb }, call) => {
      const codec = RejectSellerResponse
      const ask = askOf(parts, call, { requestId, codec, answer: sellerAnswer })
      return store.decideSeller(db, ask, { ...decided(verb), from: 'IN_REVIEW', to: 'REJECTED' })
    },
    suspendSeller: async ({ requestId, ...verb }, call) => {
      const codec = SuspendSellerResponse
      const ask = askOf(parts, call, { requestId, codec, answer: sellerAnswer })
      return store.decideSeller(db, ask, { ...decided(verb), from: 'ACTIVE', to: 'SUSPENDED' })
    },
    reinstateSeller: async ({ requestId, ...verb }, call) => {
      const codec = ReinstateSellerResponse
      const ask = askOf(parts, call, { requestId, codec, answer: sellerAnswer })
      return store.decideSeller(db, ask, { ...decided(verb), from: 'SUSPENDED', to: 'ACTIVE' })
    },
  } satisfies Partial<SellerHandlers>
}

function decided(verb: {
  readonly sellerId: SellerId
  readonly expectedVersion?: bigint | undefined
  readonly reason: string
}) {
  const { sellerId, expectedVersion, reason } = verb
  return { sellerId, expectedVersion, reason, commissionBasisPoints: undefined }
}

function detailAnswer(detail: SellerDetail) {
  return {
    seller: sellerMessage(detail),
    requirements: detail.requirements.map(requirementMessage),
  }
}

function sellerAnswer(detail: SellerDetail) {
  return { seller: sellerMessage(detail) }
}

function requirementAnswer(outcome: SellerDetail & { readonly requirement: Requirement }) {
  return { requirement: requirementMessage(outcome.requirement), seller: sellerMessage(outcome) }
}

/** True for the seller's own members and for the account that applied. */
function isParty(caller: Caller, seller: Seller): boolean {
  if (caller.kind === 'seller') return caller.sellerId === seller.sellerId
  return caller.kind === 'buyer' && caller.accountId === seller.applicantAccountId
}

function mayRead(caller: Caller, seller: Seller): boolean {
  return caller.kind === 'service' || caller.kind === 'operator' || isParty(caller, seller)
}

function accountOf(caller: Caller): AccountId {
  if (caller.kind === 'buyer' && caller.accountId !== undefined) return caller.accountId
  throw new Error('The access table lets only accounts apply.')
}

function decidedState(decision: Decision): 'VERIFIED' | 'REJECTED' | 'WAIVED' {
  switch (decision) {
    case Decision.VERIFY:
      return 'VERIFIED'
    case Decision.REJECT:
      return 'REJECTED'
    case Decision.WAIVE:
      return 'WAIVED'
    case Decision.UNSPECIFIED:
    case Decision.UNRECOGNIZED:
      throw new Error('The schema lets no such decision through.')
    default:
      return unreachable(decision)
  }
}

function sellerNotFound(): NotFound {
  return new NotFound('SELLER_NOT_FOUND', 'There is no such seller.')
}
