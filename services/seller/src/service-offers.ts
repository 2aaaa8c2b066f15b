import { type Id, NotFound, type SellerId, unreachable } from '@holdfast/kernel'
import {
  CreateOfferResponse,
  Offer_State,
  type SellerServiceDefinition,
  SetShippingProfileResponse,
  UpdateOfferResponse,
} from '@holdfast/proto/seller'
import { TaxCategory } from '@holdfast/proto/type'
import { type Caller, type RpcHandlers, requireSeller } from '@holdfast/rpc'
import type { Offer, OfferState, ShippingProfile, TaxCategoryName } from './domain-offer.ts'
import type { schemas } from './schema.ts'
import { type SellerParts, askOf, createPager, pageScope } from './service-ask.ts'
import {
  offerMessage,
  shippingProfileMessage,
  stockViewRowMessage,
  termsMessage,
} from './service-wire.ts'

type Handlers = RpcHandlers<SellerServiceDefinition, typeof schemas>

/** The RPCs about offers, shipping and stock. */
export function offerHandlers(parts: SellerParts) {
  return { ...writeHandlers(parts), ...readHandlers(parts) }
}

function writeHandlers(parts: SellerParts) {
  const { db, store, inventory, newId } = parts
  return {
    createOffer: async (request, call) => {
      requireSeller(call.caller, request.sellerId)
      const { requestId, taxCategory, ...wish } = request
      const answer = (offer: Offer) => ({ offer: offerMessage(offer) })
      const ask = askOf(parts, call, { requestId, codec: CreateOfferResponse, answer })
      const before = await store.readAnswer(db, ask)
      if (before !== undefined) return before
      await inventory.requireItem(request.itemId, request.sellerId, call)
      const offerId = newId('offer')
      const made = { ...wish, offerId, taxCategory: taxCategoryName(taxCategory) }
      return store.createOffer(db, ask, made)
    },
    updateOffer: async (request, call) => {
      requireSeller(call.caller, request.sellerId)
      const { requestId, taxCategory, ...change } = request
      const answer = (offer: Offer) => ({ offer: offerMessage(offer) })
      const ask = askOf(parts, call, { requestId, codec: UpdateOfferResponse, answer })
      return store.updateOffer(db, ask, {
        sellerId: change.sellerId,
        offerId: change.offerId,
        expectedVersion: change.expectedVersion,
        title: change.title,
        price: change.price,
        taxCategory: taxCategory === undefined ? undefined : taxCategoryName(taxCategory),
        shippingProfileId: change.shippingProfileId,
        productRef: change.productRef,
      })
    },
    setShippingProfile: async (request, call) => {
      requireSeller(call.caller, request.sellerId)
      const { requestId, sellerId, name, options, expectedVersion } = request
      const answer = (profile: ShippingProfile) => ({
        shippingProfile: shippingProfileMessage(profile),
      })
      const ask = askOf(parts, call, { requestId, codec: SetShippingProfileResponse, answer })
      return store.setShippingProfile(db, ask, {
        sellerId,
        shippingProfileId: request.shippingProfileId ?? newId('shippingProfile'),
        isNew: request.shippingProfileId === undefined,
        name,
        options,
        expectedVersion,
      })
    },
  } satisfies Partial<Handlers>
}

function readHandlers(parts: SellerParts) {
  const { db, store } = parts
  const pager = createPager(parts)
  return {
    getOffers: async (request, call) => {
      const found = await store.readOffers(db, request.offerIds)
      const byId = new Map(found.map((offer) => [offer.offerId, offer]))
      const offers = request.offerIds.flatMap((id) => byId.get(id) ?? [])
      const missingOfferIds = request.offerIds.filter((id) => !byId.has(id))
      const [terms, profiles] = await Promise.all([
        store.readTerms(db, distinct(offers.map((offer) => offer.sellerId))),
        store.readShippingProfiles(db, distinct(offers.map((offer) => offer.shippingProfileId))),
      ])
      return {
        offers: offers.map(offerMessage),
        sellers: terms.map((one) => termsMessage(one, seesCommission(call.caller))),
        shippingProfiles: profiles.map(shippingProfileMessage),
        missingOfferIds,
      }
    },
    listOffers: async (request, call) => {
      const { sellerId, state, pageSize, pageToken } = request
      const scope = pageScope(call, [sellerId, state])
      const after = pager.after('offer', pageToken, scope)
      const wanted = await visibleState(parts, call.caller, { sellerId, state: stateName(state) })
      if (wanted === 'none') return { offers: [], nextPageToken: '' }
      const page = { sellerId, state: wanted, after, rowsMax: pageSize }
      const offers = await store.listOffers(db, page)
      const ids = offers.map((offer) => offer.offerId)
      const nextPageToken = pager.next(ids, pageSize, scope)
      return { offers: offers.map(offerMessage), nextPageToken }
    },
    getStockView: async (request, call) => {
      requireSeller(call.caller, request.sellerId)
      const { sellerId, itemIds, pageSize, pageToken } = request
      const scope = pageScope(call, [sellerId, itemIds])
      const after = pager.after('stockItem', pageToken, scope)
      await requireExists(parts, sellerId)
      const view = await store.readStockView(db, { sellerId, itemIds, after, rowsMax: pageSize })
      const ids = view.rows.map((row) => row.itemId)
      return {
        rows: view.rows.map(stockViewRowMessage),
        stale: view.isStale,
        completeThroughTime: view.completeThrough,
        nextPageToken: pager.next(ids, pageSize, scope),
      }
    },
  } satisfies Partial<Handlers>
}

/** An operator may name any seller, so that it exists is looked at. */
async function requireExists({ db, store }: SellerParts, sellerId: SellerId): Promise<void> {
  const [terms] = await store.readTerms(db, [sellerId])
  if (terms === undefined) throw sellerNotFound()
}

/**
 * Which offers of a seller the caller sees: its own people, services and operators all, anyone else
 * those for sale. A seller that does not sell looks to others like one that does not exist (I17).
 */
async function visibleState(
  { db, store }: SellerParts,
  caller: Caller,
  wanted: { readonly sellerId: SellerId; readonly state: OfferState | undefined },
): Promise<OfferState | undefined | 'none'> {
  const [terms] = await store.readTerms(db, [wanted.sellerId])
  if (terms === undefined) throw sellerNotFound()
  const isInside =
    caller.kind === 'operator' ||
    caller.kind === 'service' ||
    (caller.kind === 'seller' && caller.sellerId === wanted.sellerId)
  if (isInside) return wanted.state
  if (!terms.selling) throw sellerNotFound()
  return wanted.state === 'RETIRED' ? 'none' : 'ACTIVE'
}

function sellerNotFound(): NotFound {
  return new NotFound('SELLER_NOT_FOUND', 'There is no such seller.')
}

function seesCommission(caller: Caller): boolean {
  return caller.kind === 'service' || caller.kind === 'operator'
}

function distinct<T extends Id<'seller'> | Id<'shippingProfile'>>(ids: readonly T[]): readonly T[] {
  return [...new Set(ids)]
}

function stateName(state: Offer_State | undefined): OfferState | undefined {
  switch (state) {
    case undefined:
      return undefined
    case Offer_State.ACTIVE:
      return 'ACTIVE'
    case Offer_State.RETIRED:
      return 'RETIRED'
    case Offer_State.UNSPECIFIED:
    case Offer_State.UNRECOGNIZED:
      throw new Error('The schema lets no such state through.')
    default:
      return unreachable(state)
  }
}

function taxCategoryName(category: TaxCategory): TaxCategoryName {
  switch (category) {
    case TaxCategory.STANDARD:
      return 'STANDARD'
    case TaxCategory.REDUCED:
      return 'REDUCED'
    case TaxCategory.ZERO:
      return 'ZERO'
    case TaxCategory.UNSPECIFIED:
    case TaxCategory.UNRECOGNIZED:
      throw new Error('The schema lets no such tax category through.')
    default:
      return unreachable(category)
  }
}
