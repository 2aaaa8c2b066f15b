import { randomUUID } from 'node:crypto'
import type { CartId, OfferId, OrderId, SellerId, StockItemId } from '@holdfast/kernel'
import { Order_State } from '@holdfast/proto/checkout'
import {
  ReviewRequirementRequest_Decision as Decision,
  Requirement_State,
  type Seller,
} from '@holdfast/proto/seller'
import { Audience } from '@holdfast/proto/session'
import { TaxCategory } from '@holdfast/proto/type'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { need } from './sample.ts'
import type { Clients, World } from './world.ts'

/** What takes effect through another service's loops is there after this at the latest. */
const SOON_MS = 30_000

/** Units to begin with: plenty for every sample. */
const PLENTY = 1_000

/** Twelve characters and more, as the contract asks. */
const PASSWORD = 'correct horse battery staple'

const EUR = 'EUR'

/** A fresh request_id: a random UUID, which is what an anonymous caller needs. */
export function named(): { readonly requestId: string } {
  return { requestId: randomUUID() }
}

/** An amount in euro cents. */
export function euro(minor: bigint) {
  return { currencyCode: EUR, minor }
}

/** Somebody with tokens. */
export interface Person {
  readonly bearer: string
  readonly refreshToken: string
  readonly sessionId: string
  readonly clients: Clients
}

/** Somebody without an account. */
export interface Guest extends Person {
  readonly guestId: string
}

/** A guest who came just now. */
export async function newGuest(world: World): Promise<Guest> {
  const { session } = world.as('anonymous')
  const answer = await session.createGuestSession({ ...named(), deviceName: '' }, world.scope())
  const { sessionId, guestId } = need(answer.session)
  const { accessToken, refreshToken } = need(answer.tokens)
  const clients = world.withToken(accessToken)
  return { bearer: accessToken, refreshToken, sessionId, guestId, clients }
}

/** An account that is registered and not logged in. */
export async function newAccount(world: World) {
  const email = `${randomUUID()}@example.test`
  const request = { ...named(), email, password: PASSWORD, displayName: '' }
  const { account } = await world.as('anonymous').session.registerAccount(request, world.scope())
  return { email, password: PASSWORD, accountId: need(account).accountId }
}

/** A request to log in as a buyer. */
export function logInOf(account: { readonly email: string; readonly password: string }) {
  const { email, password } = account
  const rest = { actAs: undefined, guestRefreshToken: '', deviceName: '' }
  return { ...named(), email, password, ...rest }
}

/** A buyer with an account, logged in just now. */
export async function newBuyer(world: World): Promise<Person & { readonly accountId: string }> {
  const account = await newAccount(world)
  const answer = await world.as('anonymous').session.logIn(logInOf(account), world.scope())
  const { accessToken, refreshToken } = need(answer.tokens)
  const clients = world.withToken(accessToken)
  const { sessionId } = need(answer.session)
  const { accountId } = account
  return { bearer: accessToken, refreshToken, sessionId, accountId, clients }
}

/** How far a seller is taken. */
export type SellerStage = 'APPLIED' | 'SUBMITTED' | 'IN_REVIEW' | 'ACTIVE' | 'SUSPENDED'

/** A seller that applied just now and was taken as far as `until`. */
export async function newSeller(
  world: World,
  until: SellerStage,
): Promise<{ readonly seller: Seller; readonly applicant: Person & { accountId: string } }> {
  const applicant = await newBuyer(world)
  const applied = await applicant.clients.seller.applySeller(
    {
      ...named(),
      displayName: 'Sample seller',
      legalName: `Sample seller ${randomUUID()} GmbH`,
      countryCode: 'DE',
      currencyCode: EUR,
    },
    world.scope(),
  )
  const { sellerId } = need(applied.seller)
  if (until !== 'APPLIED') await submitAll(world, applicant.clients, sellerId)
  if (until === 'APPLIED' || until === 'SUBMITTED') return { seller: await read(), applicant }
  await verifyAll(world, sellerId)
  if (until === 'IN_REVIEW') return { seller: await read(), applicant }
  const { seller } = world.as('operator')
  const expectedVersion = (await read()).version
  const approval = { ...named(), sellerId, expectedVersion, commissionBasisPoints: undefined }
  await seller.approveSeller(approval, world.scope())
  const stop = { ...named(), sellerId, expectedVersion: undefined, reason: 'A sample.' }
  if (until === 'SUSPENDED') await seller.suspendSeller(stop, world.scope())
  return { seller: await read(), applicant }

  async function read(): Promise<Seller> {
    const answer = await world.as('operator').seller.getSeller({ sellerId }, world.scope())
    return need(answer.seller)
  }
}

async function submitAll(world: World, clients: Clients, sellerId: string): Promise<void> {
  const { requirements } = await clients.seller.getSeller({ sellerId }, world.scope())
  for (const { requirementId, state, fields } of requirements) {
    if (state !== Requirement_State.REQUIRED) continue
    const answers = fields.map(({ name }) => ({ name, value: 'yes' }))
    const request = { ...named(), sellerId, requirementId, answers, expectedVersion: undefined }
    await clients.seller.submitRequirement(request, world.scope())
  }
}

async function verifyAll(world: World, sellerId: string): Promise<void> {
  const { seller } = world.as('operator')
  const { requirements } = await seller.getSeller({ sellerId }, world.scope())
  for (const { requirementId, state, version } of requirements) {
    if (state !== Requirement_State.SUBMITTED) continue
    const decision = { decision: Decision.VERIFY, reason: '', waiveUntilTime: undefined }
    const request = { ...named(), sellerId, requirementId, ...decision, expectedVersion: version }
    await seller.reviewRequirement(request, world.scope())
  }
}

/** A token of the applicant as the seller's owner, once the membership was granted. */
export async function ownerToken(
  world: World,
  applicant: Person,
  sellerId: string,
): Promise<string> {
  const actAs = { audience: Audience.SELLER, sellerId }
  const { session } = world.as('anonymous')
  const request = { refreshToken: applicant.refreshToken, actAs }
  const answer = await eventually(
    () => session.refreshSession({ ...named(), ...request }, world.scope()),
    { withinMs: SOON_MS },
  )
  return need(answer.tokens).accessToken
}

/** An item of the seller with plenty of units. */
export async function newItem(
  world: World,
  by: 'owner' | 'otherOwner' = 'owner',
): Promise<StockItemId> {
  const sellerId = world.sellerOf(by)
  const request = { ...named(), sellerId, sku: `SKU-${randomUUID()}`, location: '' }
  const { inventory } = world.as(by)
  const { item } = await inventory.createStockItem({ ...request, onHand: PLENTY }, world.scope())
  return need(item).itemId as StockItemId
}

/** A profile that ships to Germany at a flat price. */
export function profileOf(sellerId: SellerId) {
  const option = {
    optionKey: 'standard',
    label: 'Standard',
    countryCodes: ['DE'],
    rate: { $case: 'flat' as const, value: euro(490n) },
    daysMin: 1,
    daysMax: 3,
  }
  const rest = { shippingProfileId: '', expectedVersion: undefined }
  return { ...named(), sellerId, name: 'Parcels', options: [option], ...rest }
}

/** A shipping profile of the seller. */
async function newProfile(world: World, by: 'owner' | 'otherOwner' = 'owner') {
  const request = profileOf(world.sellerOf(by))
  const answer = await world.as(by).seller.setShippingProfile(request, world.scope())
  return need(answer.shippingProfile)
}

/** A request for an offer of a new item with a new profile. */
export async function offerOf(world: World, by: 'owner' | 'otherOwner' = 'owner') {
  const [itemId, profile] = await Promise.all([newItem(world, by), newProfile(world, by)])
  return {
    ...named(),
    sellerId: world.sellerOf(by),
    sku: `SKU-${randomUUID()}`,
    itemId,
    productRef: '',
    title: 'A sample',
    price: euro(1_999n),
    taxCategory: TaxCategory.STANDARD,
    shippingProfileId: profile.shippingProfileId,
  }
}

/** An offer for sale, with plenty of units behind it. */
export async function newOffer(world: World, by: 'owner' | 'otherOwner' = 'owner') {
  const request = await offerOf(world, by)
  const { offer } = await world.as(by).seller.createOffer(request, world.scope())
  return { offerId: need(offer).offerId as OfferId, version: need(offer).version }
}

/** A guest with a cart of one line. */
export async function newCart(world: World, who?: Guest) {
  const guest = who ?? (await newGuest(world))
  const { offerId } = await newOffer(world)
  const request = { ...named(), offerId, quantity: 2, seenPrice: undefined }
  const { cart } = await guest.clients.cart.addLine(request, world.scope())
  const { cartId, version } = need(cart)
  return { guest, offerId, cartId: cartId as CartId, version }
}

/** A cart that an order holds. */
export async function newClaim(world: World) {
  const { guest, cartId, version } = await newCart(world)
  const orderId = newId('order')
  const claim = { ...named(), cartId, buyerId: guest.guestId, orderId, expectedVersion: version }
  await world.as('service:checkout').cart.claimForCheckout(claim, world.scope())
  return { guest, cartId, orderId }
}

/** Somewhere in Germany. */
export const ADDRESS = {
  recipient: 'Sam Sample',
  line1: 'Hauptstrasse 1',
  line2: '',
  city: 'Berlin',
  region: '',
  postalCode: '10115',
  countryCode: 'DE',
}

/** A guest with a quote for a cart. */
export async function newQuote(world: World, who?: Guest) {
  const { guest, cartId } = await newCart(world, who)
  const rest = { shippingChoices: [], expectedCartVersion: undefined }
  const request = { ...named(), cartId, shipTo: ADDRESS, ...rest }
  const { quote } = await guest.clients.checkout.createQuote(request, world.scope())
  return { guest, quoteId: need(quote).quoteId }
}

/** A request to buy what a quote says, with a method that works unless another is given. */
export function orderOf(quoteId: string, paymentMethodToken = 'pm_sim_ok') {
  return { ...named(), quoteId, paymentMethodToken, waitFor: 2 as const, returnUrl: '' }
}

/** A guest with an order that is paid. */
export async function newOrder(world: World, who?: Guest) {
  const { guest, quoteId } = await newQuote(world, who)
  const { checkout } = guest.clients
  const { order } = await checkout.placeOrder(orderOf(quoteId), world.scope())
  const orderId = need(order).orderId as OrderId
  await eventually(
    async () => {
      const answer = await checkout.getOrder({ orderId }, world.scope())
      return need(answer.order).state === Order_State.PAID
    },
    { withinMs: SOON_MS },
  )
  return { guest, orderId }
}

/** A request for a payment of one sub-order of the world's seller. */
export function paymentOf(world: World) {
  const split = {
    subOrderId: newId('subOrder'),
    sellerId: world.sellerOf('owner'),
    goods: euro(1_000n),
    shipping: euro(490n),
    sellerTax: euro(283n),
    platformTax: euro(0n),
    commission: euro(100n),
    commissionTax: euro(19n),
  }
  return {
    ...named(),
    paymentId: newId('payment'),
    orderId: newId('order'),
    buyerId: newId('guest'),
    amount: euro(1_773n),
    paymentMethodToken: 'pm_sim_ok',
    splits: [split],
    returnUrl: '',
  }
}

/** A payment taken as far as `until`. */
export async function newPayment(world: World, until: 'CREATED' | 'AUTHORIZED' | 'CAPTURED') {
  const request = paymentOf(world)
  const { payment } = world.as('service:checkout')
  const { paymentId, orderId, amount } = request
  await payment.createPayment(request, world.scope())
  const verb = () => ({ ...named(), paymentId, orderId })
  if (until !== 'CREATED') await payment.authorizePayment(verb(), world.scope())
  if (until === 'CAPTURED') await payment.capturePayment({ ...verb(), amount }, world.scope())
  return { paymentId, orderId, amount }
}
