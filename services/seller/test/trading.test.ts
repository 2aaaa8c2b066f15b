import { type OfferId, type SellerId, present } from '@holdfast/kernel'
import { Offer_State } from '@holdfast/proto/seller'
import { newId } from '@holdfast/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type SellerUnderTest,
  accountCaller,
  admitSeller,
  answerOf,
  apply,
  memberOf,
  offerChange,
  offerRequest,
  profileRequest,
  reasonOf,
  refusalOf,
  requestId,
  scope,
  startSeller,
  stockItem,
} from './seller-under-test.ts'

let service: SellerUnderTest
let sellerId: SellerId

beforeAll(async () => {
  service = await startSeller()
  sellerId = (await admitSeller(service)).sellerId
})

afterAll(async () => service[Symbol.asyncDispose]())

const owner = () => service.clientOf(memberOf(sellerId))

async function newOffer() {
  const { offer } = await owner().createOffer(await offerRequest(service, sellerId), scope())
  return present(offer, 'the offer')
}

test('an offer is one per SKU, and the refusal names the one there is', async () => {
  const request = await offerRequest(service, sellerId)
  const { offer } = await owner().createOffer(request, scope())
  expect(offer).toMatchObject({ state: Offer_State.ACTIVE, version: 1n, sku: request.sku })
  const again = { ...request, requestId: requestId() }
  expect(await refusalOf(owner().createOffer(again, scope()))).toMatchObject({
    reason: 'OFFER_EXISTS',
    details: { offer_id: offer?.offerId },
  })
})

test('I6: 30 repeats of one offer make one, also while inventory is away', async () => {
  const request = await offerRequest(service, sellerId)
  const client = owner()
  const make = () => answerOf(() => client.createOffer(request, scope()))
  const answers = await Promise.all(Array.from({ length: 30 }, make))
  service.inventory.isAway = true
  try {
    const repeat = await client.createOffer(request, scope())
    expect(new Set([...answers, repeat].map((one) => one.offer?.offerId)).size).toBe(1)
    const first = { ...request, requestId: requestId() }
    expect(reasonOf(await refusalOf(client.createOffer(first, scope())))).toBe(
      'DEPENDENCY_UNAVAILABLE',
    )
  } finally {
    service.inventory.isAway = false
  }
})

test('I17: an item, a profile and an offer of another seller are missing ones', async () => {
  const other = await apply(service)
  const theirs = service.clientOf(memberOf(other.sellerId))
  const foreignItem = stockItem(service, other.sellerId)
  const request = await offerRequest(service, sellerId)
  const withItem = (itemId: string) =>
    refusalOf(owner().createOffer({ ...request, requestId: requestId(), itemId }, scope()))
  expect(reasonOf(await withItem(foreignItem))).toBe('ITEM_NOT_FOUND')
  expect(String(await withItem(foreignItem))).toBe(String(await withItem(newId('stockItem'))))
  const { shippingProfile } = await theirs.setShippingProfile(
    profileRequest(other.sellerId),
    scope(),
  )
  const foreign = { ...request, shippingProfileId: shippingProfile?.shippingProfileId ?? '' }
  expect(reasonOf(await refusalOf(owner().createOffer(foreign, scope())))).toBe(
    'SHIPPING_PROFILE_NOT_FOUND',
  )
  const offer = await newOffer()
  const change = offerChange({ ...offer, sellerId: other.sellerId }, { title: 'Stolen' })
  expect(reasonOf(await refusalOf(theirs.updateOffer(change, scope())))).toBe('OFFER_NOT_FOUND')
  const asOwner = { ...change, sellerId, requestId: requestId() }
  expect(reasonOf(await refusalOf(theirs.updateOffer(asOwner, scope())))).toBe('SELLER_NOT_FOUND')
})

test('every price is kept, and the lowest of the 30 days before the change is told', async () => {
  const offer = await newOffer()
  const first = await owner().updateOffer(offerChange(offer, { priceMinor: 1_499n }), scope())
  expect(first.offer).toMatchObject({
    version: 2n,
    price: { minor: 1_499n },
    lowestPrice30Days: { currencyCode: 'EUR', minor: 1_999n },
  })
  const second = await owner().updateOffer(
    offerChange(present(first.offer, 'the offer'), { priceMinor: 2_499n }),
    scope(),
  )
  expect(second.offer?.lowestPrice30Days).toMatchObject({ minor: 1_499n })
  const third = await owner().updateOffer(
    offerChange(present(second.offer, 'the offer'), { title: 'A blue mug' }),
    scope(),
  )
  expect(third.offer).toMatchObject({ version: 4n, title: 'A blue mug' })
  const rows = await service.database.query<{ minor: string; version: string }>(
    `SELECT h.minor, h.version FROM price_history h JOIN offer o USING (offer_id)
     WHERE o.sku = $1 ORDER BY h.version`,
    [offer.sku],
  )
  expect(rows.map((row) => `${row.version}:${row.minor}`)).toEqual(['1:1999', '2:1499', '3:2499'])
})

test('a change based on an older version is refused with the present one', async () => {
  const offer = await newOffer()
  await owner().updateOffer(offerChange(offer, { title: 'First' }), scope())
  const late = offerChange(offer, { title: 'Second' })
  expect(await refusalOf(owner().updateOffer(late, scope()))).toMatchObject({
    reason: 'VERSION_MISMATCH',
    details: { version: '2' },
  })
})

test('I6: of 20 changes of one version at once one is made', async () => {
  const offer = await newOffer()
  const client = owner()
  const answers = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) =>
      client.updateOffer(offerChange(offer, { priceMinor: 1_000n + BigInt(index) }), scope()),
    ),
  )
  expect(answers.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
  const { offers } = await client.getOffers({ offerIds: [offer.offerId] }, scope())
  expect(offers[0]?.version).toBe(2n)
})

test('prices and rates of another currency than the seller’s are refused', async () => {
  const request = await offerRequest(service, sellerId)
  const inDollars = { ...request, price: { currencyCode: 'USD', minor: 1_999n } }
  expect(reasonOf(await refusalOf(owner().createOffer(inDollars, scope())))).toBe(
    'CURRENCY_MISMATCH',
  )
  const profile = profileRequest(sellerId)
  const option = present(profile.options[0], 'an option')
  const rate = { $case: 'flat' as const, value: { currencyCode: 'USD', minor: 1n } }
  const foreign = { ...profile, options: [{ ...option, rate }] }
  expect(reasonOf(await refusalOf(owner().setShippingProfile(foreign, scope())))).toBe(
    'CURRENCY_MISMATCH',
  )
})

test('a profile is replaced at its version only', async () => {
  const made = await owner().setShippingProfile(profileRequest(sellerId), scope())
  const { shippingProfileId } = present(made.shippingProfile, 'the profile')
  const replacement = { ...profileRequest(sellerId, 0n), shippingProfileId }
  expect(reasonOf(await refusalOf(owner().setShippingProfile(replacement, scope())))).toBe(
    'INVALID_FIELD',
  )
  const again = { ...replacement, expectedVersion: 1n }
  const { shippingProfile } = await owner().setShippingProfile(again, scope())
  expect(shippingProfile).toMatchObject({
    version: 2n,
    options: [{ rate: { value: { minor: 0n } } }],
  })
  const late = { ...again, requestId: requestId() }
  expect(await refusalOf(owner().setShippingProfile(late, scope()))).toMatchObject({
    reason: 'VERSION_MISMATCH',
    details: { version: '2' },
  })
})

test('offers come with terms and profiles; what is unknown is listed, not refused', async () => {
  const offer = await newOffer()
  const unknownId = newId('offer') as OfferId
  const buyer = service.clientOf(accountCaller())
  const asked = { offerIds: [unknownId, offer.offerId] }
  const seen = await buyer.getOffers(asked, scope())
  expect(seen.offers.map((one) => one.offerId)).toEqual([offer.offerId])
  expect(seen.missingOfferIds).toEqual([unknownId])
  expect(seen.sellers).toMatchObject([{ sellerId, selling: true, commissionBasisPoints: 0 }])
  expect(seen.shippingProfiles).toMatchObject([{ shippingProfileId: offer.shippingProfileId }])
  const inside = await service.checkout.getOffers(asked, scope())
  expect(inside.sellers).toMatchObject([{ commissionBasisPoints: 1_000 }])
})

test('suspension is told with each offer, and hides the list from everybody else', async () => {
  const applied = await admitSeller(service)
  const client = service.clientOf(memberOf(applied.sellerId))
  const request = await offerRequest(service, applied.sellerId)
  const { offer } = await client.createOffer(request, scope())
  const offerIds = [present(offer, 'the offer').offerId]
  const stop = { requestId: requestId(), sellerId: applied.sellerId, reason: 'complaints' }
  await service.operator.suspendSeller({ ...stop, expectedVersion: undefined }, scope())
  const { sellers } = await service.checkout.getOffers({ offerIds }, scope())
  expect(sellers).toMatchObject([{ selling: false }])
  const list = { sellerId: applied.sellerId, state: 0 as const, pageSize: 0, pageToken: '' }
  expect((await client.listOffers(list, scope())).offers).toHaveLength(1)
  const buyer = service.clientOf(accountCaller())
  const hidden = await refusalOf(buyer.listOffers(list, scope()))
  const missing = await refusalOf(buyer.listOffers({ ...list, sellerId: newId('seller') }, scope()))
  expect(reasonOf(hidden)).toBe('SELLER_NOT_FOUND')
  expect(String(hidden)).toBe(String(missing))
})

test('I17: page tokens of a list are worthless to others and for other filters', async () => {
  const made = await Promise.all(Array.from({ length: 5 }, newOffer))
  const client = owner()
  const list = { sellerId, state: Offer_State.ACTIVE, pageSize: 2, pageToken: '' }
  const ids: string[] = []
  let pageToken = ''
  do {
    const page = await client.listOffers({ ...list, pageToken }, scope())
    ids.push(...page.offers.map((one) => one.offerId))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  expect(ids).toEqual(ids.toSorted())
  expect(ids).toEqual(expect.arrayContaining(made.map((one) => one.offerId)))
  const { nextPageToken } = await client.listOffers(list, scope())
  const attempts = [
    service.clientOf(accountCaller()).listOffers({ ...list, pageToken: nextPageToken }, scope()),
    client.listOffers({ ...list, state: 0, pageToken: nextPageToken }, scope()),
    client.listOffers({ ...list, pageToken: 'made-up.token' }, scope()),
  ]
  for (const refusal of await Promise.all(attempts.map(refusalOf))) {
    expect(reasonOf(refusal)).toBe('PAGE_TOKEN_INVALID')
  }
})

test('a viewer may look and not trade', async () => {
  const viewer = service.clientOf(memberOf(sellerId, 'viewer'))
  const request = await offerRequest(service, sellerId)
  expect(reasonOf(await refusalOf(viewer.createOffer(request, scope())))).toBe('ROLE_REQUIRED')
  await expect(
    viewer.listOffers({ sellerId, state: 0, pageSize: 1, pageToken: '' }, scope()),
  ).resolves.toBeDefined()
})
