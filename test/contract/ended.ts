import { ParkAction } from '@holdfast/proto/checkout'
import { RefundReason } from '@holdfast/proto/payment'
import { ReviewRequirementRequest_Decision as Decision } from '@holdfast/proto/seller'
import { newId } from '@holdfast/runtime'
import { named, newPayment, newSeller } from './makers.ts'
import { CODE } from './row.ts'
import { need } from './sample.ts'
import type { World } from './world.ts'

/**
 * Brings what a sample's request names to its end by verbs of its own. Answers what is asked of it
 * then, where that is not the sample's request again.
 */
type End = (world: World, request: never, bearer: string) => Promise<object | undefined>

/** What an RPC that changes things does with one that is at its end. */
export type Ended =
  /** Refused by its state: FAILED_PRECONDITION, unless another code is named. */
  | { readonly end: End; readonly reason: string; readonly code?: number }
  /** Nothing to refuse, and why. */
  | { readonly why: string }

interface Hold {
  readonly holdId: string
  readonly orderId: string
}
interface Payment {
  readonly paymentId: string
  readonly orderId: string
}
interface Claim {
  readonly cartId: string
  readonly orderId: string
}
interface Requirement {
  readonly sellerId: string
  readonly requirementId: string
}

const MAKES = { why: 'It makes something new and names nothing that could have ended.' }
const NEVER_ENDS = { why: 'What it changes has no final state.' }
const ENDS_TWICE = { why: 'Ending what has ended is answered OK and changes nothing more.' }

async function release(world: World, { holdId, orderId }: Hold): Promise<undefined> {
  const { inventory } = world.as('service:checkout')
  await inventory.releaseHold({ ...named(), holdId, orderId }, world.scope())
}

async function confirm(world: World, { holdId, orderId }: Hold): Promise<undefined> {
  const { inventory } = world.as('service:checkout')
  await inventory.pinHold({ ...named(), holdId, orderId }, world.scope())
  await inventory.confirmHold({ ...named(), holdId, orderId }, world.scope())
}

async function voidIt(world: World, { paymentId, orderId }: Payment): Promise<undefined> {
  const { payment } = world.as('service:checkout')
  await payment.voidPayment({ ...named(), paymentId, orderId }, world.scope())
}

async function refundAll(
  world: World,
  request: Payment & { readonly amount: { readonly currencyCode: string; readonly minor: bigint } },
): Promise<undefined> {
  const { paymentId, orderId, amount } = request
  const refund = { refundId: newId('refund'), reason: RefundReason.CANCELLED }
  const { payment } = world.as('service:checkout')
  await payment.refundPayment({ ...named(), ...refund, paymentId, orderId, amount }, world.scope())
}

/** A payment that was captured and never parked, in the place of a parked refund. */
async function captured(world: World, request: object): Promise<object> {
  const { paymentId } = await newPayment(world, 'CAPTURED')
  const { payment } = world.as('service:checkout')
  const { version } = need((await payment.getPayment({ paymentId }, world.scope())).payment)
  return { ...request, parkedId: paymentId, expectedVersion: version }
}

/** A seller that was rejected, in the place of the sample's. */
async function rejected(world: World, request: object): Promise<object> {
  const { seller } = await newSeller(world, 'IN_REVIEW')
  const { sellerId, version: expectedVersion } = seller
  const desk = world.as('operator').seller
  const reason = 'A sample.'
  await desk.rejectSeller({ ...named(), sellerId, expectedVersion, reason }, world.scope())
  const after = need((await desk.getSeller({ sellerId }, world.scope())).seller)
  return { ...request, sellerId, expectedVersion: after.version }
}

/** Hands a requirement in, if that is still to be done, and verifies it. */
async function verify(world: World, request: Requirement, bearer: string): Promise<object> {
  const { sellerId, requirementId } = request
  if ('answers' in request) {
    const applicant = world.withToken(bearer).seller
    await applicant.submitRequirement({ ...(request as never as SubmitRequest) }, world.scope())
  }
  const version = await versionOf(world, request)
  const decision = { decision: Decision.VERIFY, reason: '', waiveUntilTime: undefined }
  const review = { ...named(), sellerId, requirementId, expectedVersion: version, ...decision }
  await world.as('operator').seller.reviewRequirement(review, world.scope())
  return { ...request, expectedVersion: await versionOf(world, request) }
}

type SubmitRequest = Parameters<ReturnType<World['as']>['seller']['submitRequirement']>[0]

async function versionOf(world: World, { sellerId, requirementId }: Requirement): Promise<bigint> {
  const { requirements } = await world.as('operator').seller.getSeller({ sellerId }, world.scope())
  return need(requirements.find((one) => one.requirementId === requirementId)).version
}

/** The cart's order is placed and done. */
async function buy(world: World, request: { readonly cartId: string }): Promise<undefined> {
  const { cartId } = request
  const { cart } = world.as('service:checkout')
  const held = need((await cart.getCart({ cartId }, world.scope())).cart)
  const orderId = newId('order')
  const claim = { ...named(), cartId, orderId, buyerId: held.buyerId }
  await cart.claimForCheckout({ ...claim, expectedVersion: held.version }, world.scope())
  await cart.completeClaim({ ...named(), cartId, orderId }, world.scope())
}

async function complete(world: World, { cartId, orderId }: Claim): Promise<undefined> {
  const { cart } = world.as('service:checkout')
  await cart.completeClaim({ ...named(), cartId, orderId }, world.scope())
}

async function unclaim(world: World, { cartId, orderId }: Claim): Promise<undefined> {
  const { cart } = world.as('service:checkout')
  await cart.releaseClaim({ ...named(), cartId, orderId }, world.scope())
}

type Resolve = Parameters<ReturnType<World['as']>['checkout']['resolveParkedOrder']>[0]

/** The park was decided, and something else is decided now. */
async function decide(world: World, request: Resolve): Promise<object> {
  await world.as('operator').checkout.resolveParkedOrder(request, world.scope())
  return { ...request, action: ParkAction.RETRY }
}

type Restock = Parameters<ReturnType<World['as']>['inventory']['restockHold']>[0]

async function restock(world: World, request: Restock): Promise<undefined> {
  await world.as('service:checkout').inventory.restockHold(request, world.scope())
}

/** To its buyer a cart that was bought is gone, as it is for who asks for the cart at hand. */
const BOUGHT = { end: buy, reason: 'CART_NOT_FOUND', code: CODE.notFound }

/** For every RPC that changes something: how its thing ends, and why it then is refused. */
export const ENDED: Readonly<Record<string, Ended>> = {
  CreateGuestSession: MAKES,
  RegisterAccount: MAKES,
  LogIn: MAKES,
  RefreshSession: { why: 'A token of an ended session proves nobody: UNAUTHENTICATED.' },
  LogOut: ENDS_TWICE,
  RevokeAllSessions: ENDS_TWICE,
  GrantMembership: NEVER_ENDS,
  CreateStockItem: MAKES,
  AdjustStock: NEVER_ENDS,
  SetStock: NEVER_ENDS,
  PlaceHold: { end: release, reason: 'HOLD_STATE' },
  PinHold: { end: release, reason: 'HOLD_STATE' },
  ConfirmHold: { end: release, reason: 'HOLD_STATE' },
  ReleaseHold: { end: confirm, reason: 'HOLD_STATE' },
  RestockHold: { end: restock, reason: 'RESTOCK_LIMIT' },
  CreatePayment: { end: voidIt, reason: 'PAYMENT_STATE' },
  AuthorizePayment: { end: voidIt, reason: 'PAYMENT_STATE' },
  CapturePayment: { end: voidIt, reason: 'PAYMENT_STATE' },
  VoidPayment: ENDS_TWICE,
  RefundPayment: { end: refundAll, reason: 'REFUND_LIMIT' },
  RetryParked: { end: captured, reason: 'PARK_MISMATCH' },
  ApplySeller: MAKES,
  SubmitRequirement: { end: verify, reason: 'REQUIREMENT_STATE' },
  ReviewRequirement: { end: verify, reason: 'REQUIREMENT_STATE' },
  ApproveSeller: { end: rejected, reason: 'SELLER_STATE' },
  RejectSeller: { end: rejected, reason: 'SELLER_STATE' },
  SuspendSeller: { end: rejected, reason: 'SELLER_STATE' },
  ReinstateSeller: { end: rejected, reason: 'SELLER_STATE' },
  CreateOffer: MAKES,
  UpdateOffer: { why: 'No RPC retires an offer.' },
  SetShippingProfile: NEVER_ENDS,
  AddLine: { why: 'A buyer whose cart was bought begins a new one.' },
  SetLineQuantity: BOUGHT,
  RemoveLine: BOUGHT,
  ClaimForCheckout: { end: buy, reason: 'CART_CHANGED' },
  ReleaseClaim: { end: complete, reason: 'CLAIM_ENDED' },
  CompleteClaim: { end: unclaim, reason: 'CLAIM_ENDED' },
  CreateQuote: { end: buy, reason: 'CART_CLAIMED' },
  PlaceOrder: { why: 'An order of a cart that was bought already is an answer: it ends REJECTED.' },
  CancelOrder: ENDS_TWICE,
  ResolveParkedOrder: { end: decide, reason: 'PARK_MISMATCH' },
}
