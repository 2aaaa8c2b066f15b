import { randomUUID } from 'node:crypto'
import { isHoldfastError, present } from '@holdfast/kernel'
import {
  type Requirement,
  Requirement_State,
  ReviewRequirementRequest_Decision,
  type Seller,
} from '@holdfast/proto/seller'
import { type Money, TaxCategory } from '@holdfast/proto/type'
import { type Actor, createActor, type Credentials, logIn, type Stage } from './demo-actors.ts'
import type { WantedOffer } from './demo-buyer.ts'

/** What a seller sells: one article. */
export interface Article {
  readonly sku: string
  readonly title: string
  readonly priceMinor: bigint
  readonly units: number
}

/** What is known of a seller before it joins. */
export interface ShopPlan {
  readonly displayName: string
  readonly countryCode: string
  readonly currency: string
  readonly article: Article
  readonly shippingMinor: bigint
}

/** A seller who joined, was approved and sells one article. */
export interface Shop extends AsyncDisposable {
  readonly sellerId: string
  readonly itemId: string
  /** One unit of the article, for a cart. */
  readonly offer: WantedOffer
  readonly owner: Actor
  /** Units as inventory has them now. */
  stock(): Promise<{ readonly onHand: number; readonly reserved: number }>
  /** Units as the seller's own view has them, from the feed. */
  stockView(): Promise<{
    readonly onHand: number
    readonly reserved: number
    readonly stale: boolean
  }>
}

/** An application with who made it. */
export interface Application {
  readonly credentials: Credentials
  readonly sellerId: string
}

/** Registers an account over gRPC. */
export async function registerAccount(stage: Stage, displayName: string): Promise<Credentials> {
  await using nobody = createActor(stage)
  const credentials = {
    email: `${randomUUID()}@example.test`,
    password: `demo-${randomUUID()}`,
  }
  const request = { requestId: randomUUID(), ...credentials, displayName }
  await nobody.clients.session.registerAccount(request, nobody.scope())
  return credentials
}

/** Applies as a seller over gRPC and answers what is asked. */
export async function applyOverGrpc(stage: Stage, plan: ShopPlan): Promise<Application> {
  const credentials = await registerAccount(stage, plan.displayName)
  await using applicant = await logIn(stage, credentials, 'buyer')
  const answer = await applicant.clients.seller.applySeller(
    {
      requestId: randomUUID(),
      displayName: plan.displayName,
      legalName: `${plan.displayName} Limited`,
      countryCode: plan.countryCode,
      currencyCode: plan.currency,
    },
    applicant.scope(),
  )
  const { sellerId } = present(answer.seller, 'the seller')
  for (const requirement of answer.requirements) {
    await applicant.clients.seller.submitRequirement(
      {
        requestId: randomUUID(),
        sellerId,
        requirementId: requirement.requirementId,
        answers: plausibleAnswers(requirement),
        expectedVersion: undefined,
      },
      applicant.scope(),
    )
  }
  return { credentials, sellerId }
}

/** Answers that fit the fields of a requirement. */
export function plausibleAnswers(
  requirement: Requirement,
): { readonly name: string; readonly value: string }[] {
  return requirement.fields.map((field) => ({
    name: field.name,
    value: `Demo ${field.name}`.slice(0, field.lengthMax),
  }))
}

/** An operator verifies what was submitted and approves the seller. */
export async function approveSeller(operator: Actor, sellerId: string): Promise<Seller> {
  const { seller: service } = operator.clients
  const read = async () => operator.ask(async (scope) => service.getSeller({ sellerId }, scope))
  for (const requirement of (await read()).requirements) {
    if (requirement.state !== Requirement_State.SUBMITTED) continue
    const review = {
      requestId: randomUUID(),
      sellerId,
      requirementId: requirement.requirementId,
      decision: ReviewRequirementRequest_Decision.VERIFY,
      reason: 'Looks right.',
      waiveUntilTime: undefined,
      expectedVersion: requirement.version,
    }
    await operator.ask(async (scope) => service.reviewRequirement(review, scope))
  }
  const approval = {
    requestId: randomUUID(),
    sellerId,
    expectedVersion: present((await read()).seller, 'the seller').version,
    commissionBasisPoints: undefined,
  }
  const approved = await operator.ask(async (scope) => service.approveSeller(approval, scope))
  return present(approved.seller, 'the approved seller')
}

/** How long an approved seller's owner may take to be known to the session service, ms. */
const MEMBERSHIP_MS_MAX = 30_000

/** Logs in as the seller's owner; the membership follows the approval by itself. */
export async function logInAsOwner(stage: Stage, application: Application): Promise<Actor> {
  const { credentials, sellerId } = application
  const endMs = stage.clock.monotonicMs() + MEMBERSHIP_MS_MAX
  for (;;) {
    try {
      return await logIn(stage, credentials, { sellerId })
    } catch (error) {
      const isLate = stage.clock.monotonicMs() > endMs
      if (isLate || !isHoldfastError(error) || error.kind === 'invalid-input') throw error
      stage.signal?.throwIfAborted()
      await stage.clock.sleep(200, stage.signal)
    }
  }
}

/** The owner puts the article on sale: stock, shipping and an offer. */
export async function openForSale(owner: Actor, sellerId: string, plan: ShopPlan): Promise<Shop> {
  const { article, currency } = plan
  const price: Money = { currencyCode: currency, minor: article.priceMinor }
  const itemId = await createItem(owner, sellerId, article)
  const request = {
    requestId: randomUUID(),
    sellerId,
    sku: article.sku,
    itemId,
    productRef: article.sku,
    title: article.title,
    price,
    taxCategory: TaxCategory.STANDARD,
    shippingProfileId: await createProfile(owner, sellerId, plan),
  }
  const { offer } = await owner.ask(async (scope) =>
    owner.clients.seller.createOffer(request, scope),
  )
  const { offerId } = present(offer, 'the offer')
  return {
    sellerId,
    itemId,
    owner,
    offer: { offerId, quantity: 1, price },
    stock: async () => readStock(owner, { sellerId, itemId }),
    stockView: async () => readStockView(owner, { sellerId, itemId }),
    [Symbol.asyncDispose]: async () => owner[Symbol.asyncDispose](),
  }
}

async function createItem(owner: Actor, sellerId: string, article: Article): Promise<string> {
  const request = {
    requestId: randomUUID(),
    sellerId,
    sku: article.sku,
    location: '',
    onHand: article.units,
  }
  const { item } = await owner.ask(async (scope) =>
    owner.clients.inventory.createStockItem(request, scope),
  )
  return present(item, 'the stock item').itemId
}

async function createProfile(owner: Actor, sellerId: string, plan: ShopPlan): Promise<string> {
  const flat = { currencyCode: plan.currency, minor: plan.shippingMinor }
  const option = {
    optionKey: 'standard',
    label: 'Standard delivery',
    countryCodes: ['DE', 'FR', 'IE'],
    rate: { $case: 'flat' as const, value: flat },
    daysMin: 2,
    daysMax: 4,
  }
  const request = {
    requestId: randomUUID(),
    sellerId,
    shippingProfileId: '',
    name: 'Standard',
    options: [option],
    expectedVersion: undefined,
  }
  const { shippingProfile } = await owner.ask(async (scope) =>
    owner.clients.seller.setShippingProfile(request, scope),
  )
  return present(shippingProfile, 'the shipping profile').shippingProfileId
}

interface ItemOfSeller {
  readonly sellerId: string
  readonly itemId: string
}

async function readStock(owner: Actor, { sellerId, itemId }: ItemOfSeller) {
  const request = { itemIds: [itemId], sellerId }
  const { items } = await owner.ask(async (scope) =>
    owner.clients.inventory.getAvailability(request, scope),
  )
  const { onHand, reserved } = present(items[0], 'the item')
  return { onHand, reserved }
}

async function readStockView(owner: Actor, { sellerId, itemId }: ItemOfSeller) {
  const request = { sellerId, itemIds: [itemId], pageSize: 10, pageToken: '' }
  const { rows, stale } = await owner.ask(async (scope) =>
    owner.clients.seller.getStockView(request, scope),
  )
  const { onHand, reserved } = present(rows[0], 'the item in the view')
  return { onHand, reserved, stale }
}

/** A whole shop over gRPC: application, approval, article. */
export async function openShop(stage: Stage, operator: Actor, plan: ShopPlan): Promise<Shop> {
  const application = await applyOverGrpc(stage, plan)
  await approveSeller(operator, application.sellerId)
  const owner = await logInAsOwner(stage, application)
  return openForSale(owner, application.sellerId, plan)
}
