import { IllegalState, isHoldfastError, NotFound, type OfferId } from '@holdfast/kernel'
import type { CallScope } from '@holdfast/rpc'
import type { Neighbours } from './clients.ts'
import type { KnownOffer } from './domain.ts'

/**
 * Looks an offer up and returns how to get it: the offer, or its refusal, is only needed when the
 * request turns out to be a first one. Never fails itself.
 */
export async function offerLookUp(
  neighbours: Neighbours,
  offerId: OfferId,
  scope: CallScope,
): Promise<() => KnownOffer> {
  try {
    const offer = (await neighbours.offers([offerId], scope)).get(offerId)
    return () => requireSold(offer)
  } catch (error) {
    if (!isHoldfastError(error)) throw error
    return () => {
      throw error
    }
  }
}

function requireSold(offer: KnownOffer | undefined): KnownOffer {
  if (offer === undefined) throw new NotFound('OFFER_NOT_FOUND', 'There is no such offer.')
  if (offer.isRetired) {
    throw new IllegalState('OFFER_RETIRED', 'This offer is not sold any more.', {
      offer_id: offer.offerId,
    })
  }
  if (!offer.isSold) {
    throw new IllegalState('SELLER_NOT_SELLING', 'The seller of this offer is not selling now.', {
      seller_id: offer.sellerId,
    })
  }
  return offer
}
