import { Offer_State } from '@holdfast/proto/seller'
import { TaxCategory } from '@holdfast/proto/type'
import { z } from 'zod'
import { answers, offerJson, profileJson, stockRowJson, termsJson } from './http-json.ts'
import {
  type Route,
  enumInput,
  idsQuery,
  moneyInput,
  pageQuery,
  route,
  sellerPath,
} from './http-route.ts'

const offerPath = sellerPath.extend({ offer_id: z.string().describe('ofr_…') })
const profilePath = sellerPath.extend({ shipping_profile_id: z.string().describe('shp_…') })

const profileBody = z.strictObject({
  name: z.string(),
  options: z.array(
    z
      .strictObject({
        option_key: z.string().describe('1 to 32 lower-case letters, digits or dashes'),
        label: z.string().describe('Shown to buyers'),
        country_codes: z.array(z.string()).describe('ISO 3166-1 alpha-2'),
        flat: moneyInput,
        days_min: z.int().default(0),
        days_max: z.int().default(0),
      })
      .transform((option) => ({
        optionKey: option.option_key,
        label: option.label,
        countryCodes: option.country_codes,
        rate: { $case: 'flat' as const, value: option.flat },
        daysMin: option.days_min,
        daysMax: option.days_max,
      })),
  ),
})

const offerRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/sellers/{seller_id}/offers',
    operation: 'createOffer',
    summary: 'Makes an offer of one stock item',
    tag: 'trading',
    params: sellerPath,
    body: z.strictObject({
      sku: z.string().describe('1 to 64 visible ASCII characters, unique per seller'),
      item_id: z.string().describe('sti_…, an item of this seller'),
      product_ref: z.string().default(''),
      title: z.string(),
      price: moneyInput,
      tax_category: enumInput(TaxCategory),
      shipping_profile_id: z.string().describe('shp_…'),
    }),
    status: 201,
    answer: answers.offer,
    serve: async ({ params, body }, call) => {
      const { offer } = await call.rpc('createOffer', {
        requestId: call.requestId,
        sellerId: params.seller_id,
        sku: body.sku,
        itemId: body.item_id,
        productRef: body.product_ref,
        title: body.title,
        price: body.price,
        taxCategory: body.tax_category,
        shippingProfileId: body.shipping_profile_id,
      })
      return {
        body: { offer: offerJson(offer) },
        version: offer?.version,
        location: `/v1/offers?offer_ids=${offer?.offerId ?? ''}`,
      }
    },
  }),
  route({
    method: 'PATCH',
    path: '/v1/sellers/{seller_id}/offers/{offer_id}',
    operation: 'updateOffer',
    summary: 'Changes fields of an offer; absent ones stay',
    tag: 'trading',
    params: offerPath,
    body: z.strictObject({
      title: z.string().optional(),
      price: moneyInput.optional(),
      tax_category: enumInput(TaxCategory).optional(),
      shipping_profile_id: z.string().optional(),
      product_ref: z.string().optional(),
    }),
    version: 'required',
    answer: answers.offer,
    serve: async ({ params, body }, call) => {
      const { offer } = await call.rpc('updateOffer', {
        requestId: call.requestId,
        sellerId: params.seller_id,
        offerId: params.offer_id,
        expectedVersion: call.expectedVersion ?? 0n,
        title: body.title,
        price: body.price,
        taxCategory: body.tax_category ?? TaxCategory.UNSPECIFIED,
        shippingProfileId: body.shipping_profile_id,
        productRef: body.product_ref,
      })
      return { body: { offer: offerJson(offer) }, version: offer?.version }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/sellers/{seller_id}/offers',
    operation: 'listOffers',
    summary: 'Lists offers by id',
    tag: 'trading',
    params: sellerPath,
    query: z.strictObject({ state: enumInput(Offer_State).optional(), ...pageQuery }),
    answer: answers.offers,
    serve: async ({ params, query }, call) => {
      const { offers, nextPageToken } = await call.rpc('listOffers', {
        sellerId: params.seller_id,
        state: query.state ?? Offer_State.UNSPECIFIED,
        pageSize: query.page_size ?? 0,
        pageToken: query.page_token ?? '',
      })
      return { body: { offers: offers.map(offerJson), next_page_token: nextPageToken } }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/offers',
    operation: 'getOffers',
    summary: 'Reads up to 100 offers with what a sale of them needs',
    tag: 'trading',
    query: z.strictObject({ offer_ids: idsQuery.describe('ofr_…, separated by commas') }),
    answer: answers.offersWithTerms,
    serve: async ({ query }, call) => {
      const found = await call.rpc('getOffers', { offerIds: query.offer_ids ?? [] })
      return {
        body: {
          offers: found.offers.map(offerJson),
          sellers: found.sellers.map(termsJson),
          shipping_profiles: found.shippingProfiles.map(profileJson),
          missing_offer_ids: found.missingOfferIds,
        },
      }
    },
  }),
]

/** Offers, shipping and stock. */
export const tradeRoutes: readonly Route[] = [
  ...offerRoutes,
  route({
    method: 'POST',
    path: '/v1/sellers/{seller_id}/shipping-profiles',
    operation: 'createShippingProfile',
    summary: 'Makes a shipping profile',
    tag: 'trading',
    params: sellerPath,
    body: profileBody,
    status: 201,
    answer: answers.profile,
    serve: async ({ params, body }, call) => {
      const { shippingProfile } = await call.rpc('setShippingProfile', {
        requestId: call.requestId,
        sellerId: params.seller_id,
        shippingProfileId: '',
        name: body.name,
        options: body.options,
        expectedVersion: undefined,
      })
      const json = profileJson(shippingProfile)
      return {
        body: { shipping_profile: json },
        version: shippingProfile?.version,
        location: `/v1/sellers/${params.seller_id}/shipping-profiles/${json.shipping_profile_id}`,
      }
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/sellers/{seller_id}/shipping-profiles/{shipping_profile_id}',
    operation: 'replaceShippingProfile',
    summary: 'Replaces a shipping profile; quotes already made keep the old terms',
    tag: 'trading',
    params: profilePath,
    body: profileBody,
    version: 'required',
    answer: answers.profile,
    serve: async ({ params, body }, call) => {
      const { shippingProfile } = await call.rpc('setShippingProfile', {
        requestId: call.requestId,
        sellerId: params.seller_id,
        shippingProfileId: params.shipping_profile_id,
        name: body.name,
        options: body.options,
        expectedVersion: call.expectedVersion,
      })
      return {
        body: { shipping_profile: profileJson(shippingProfile) },
        version: shippingProfile?.version,
      }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/sellers/{seller_id}/stock',
    operation: 'getStockView',
    summary: "Reads the seller's copy of its stock, which says when it may be behind",
    tag: 'trading',
    params: sellerPath,
    query: z.strictObject({ item_ids: idsQuery.describe('sti_…, by commas'), ...pageQuery }),
    answer: answers.stock,
    serve: async ({ params, query }, call) => {
      const view = await call.rpc('getStockView', {
        sellerId: params.seller_id,
        itemIds: query.item_ids ?? [],
        pageSize: query.page_size ?? 0,
        pageToken: query.page_token ?? '',
      })
      return {
        body: {
          rows: view.rows.map(stockRowJson),
          stale: view.stale,
          complete_through_time: view.completeThroughTime?.toISOString(),
          next_page_token: view.nextPageToken,
        },
      }
    },
  }),
]
