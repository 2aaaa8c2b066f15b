import { type GetOffersRequest, Offer_State } from '@holdfast/proto/seller'
import { TaxCategory } from '@holdfast/proto/type'

/** Country of every seller, and the only one they ship to. */
const COUNTRY = 'DE'

export interface FakeOffer {
  readonly offerId: string
  readonly sellerId: string
  readonly itemId: string
  priceMinor: bigint
  isActive: boolean
}

/** What a test may ask of the sellers' shipping. */
export interface ShippingScript {
  isShippingFree?: boolean
}

/** The method of the seller service that checkout calls. */
export function sellerHandlers(offers: Map<string, FakeOffer>, script: ShippingScript) {
  return {
    getOffers: async ({ offerIds }: GetOffersRequest) => {
      const found = offerIds.flatMap((offerId) => offers.get(offerId) ?? [])
      return {
        offers: found.map((offer) => ({
          ...offer,
          state: offer.isActive ? Offer_State.ACTIVE : Offer_State.RETIRED,
          version: 1n,
          sku: 'SKU-1',
          productRef: '',
          title: 'A thing',
          price: { currencyCode: 'EUR', minor: offer.priceMinor },
          taxCategory: TaxCategory.STANDARD,
          shippingProfileId: offer.sellerId,
        })),
        sellers: found.map(({ sellerId }) => ({
          sellerId,
          displayName: 'A seller',
          selling: true,
          currencyCode: 'EUR',
          countryCode: COUNTRY,
          version: 1n,
          commissionBasisPoints: 1_000,
        })),
        shippingProfiles: found.map(({ sellerId }) => ({
          shippingProfileId: sellerId,
          sellerId,
          version: 1n,
          name: 'Parcel',
          options: [
            {
              optionKey: 'standard',
              label: 'Parcel',
              countryCodes: [COUNTRY],
              rate: {
                $case: 'flat' as const,
                value: { currencyCode: 'EUR', minor: script.isShippingFree === true ? 0n : 490n },
              },
              daysMin: 1,
              daysMax: 3,
            },
          ],
        })),
        missingOfferIds: offerIds.filter((offerId) => !offers.has(offerId)),
      }
    },
  }
}
