import { FACTS_STREAM, connectBus, factSubject } from '@holdfast/bus'
import { present } from '@holdfast/kernel'
import { OfferChanged, SellerChanged, Seller_State } from '@holdfast/proto/seller'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import {
  admitSeller,
  memberOf,
  offerChange,
  offerRequest,
  requestId,
  scope,
  startSeller,
} from './seller-under-test.ts'

const KINDS = ['seller-changed', 'offer-changed']

/** Follows this service's facts from now on. */
async function listen() {
  const urls = [backing().natsUrl]
  const bus = connectBus({ urls, name: 'facts-test', clock: systemClock, log: SILENT_LOGGER })
  onTestFinished(async () => bus[Symbol.asyncDispose]())
  const sellers: SellerChanged[] = []
  const offers: OfferChanged[] = []
  let isListening = false
  const follower = bus.follow({
    stream: FACTS_STREAM,
    filterSubjects: KINDS.map((kind) => factSubject({ service: 'seller', kind })),
    startFrom: 'new',
    onMessage: ({ subject, data }) => {
      if (subject.endsWith('offer-changed')) offers.push(OfferChanged.decode(data))
      else sellers.push(SellerChanged.decode(data))
    },
    onGap: () => {
      isListening = true
    },
    onPoison: (_message, cause) => {
      throw cause
    },
  })
  onTestFinished(async () => follower[Symbol.asyncDispose]())
  await eventually(() => isListening, { withinMs: 20_000 })
  return { sellers, offers }
}

test('I19: every change of a seller and of an offer is told, in order', async () => {
  const heard = await listen()
  const service = await startSeller()
  onTestFinished(async () => service[Symbol.asyncDispose]())
  const jobs = await service.startJobs()
  onTestFinished(async () => jobs[Symbol.asyncDispose]())
  const { sellerId } = await admitSeller(service)
  const owner = service.clientOf(memberOf(sellerId))
  const { offer } = await owner.createOffer(await offerRequest(service, sellerId), scope())
  const made = present(offer, 'the offer')
  await owner.updateOffer(offerChange(made, { priceMinor: 999n }), scope())
  const stop = { requestId: requestId(), sellerId, expectedVersion: undefined, reason: 'a test' }
  const { seller } = await service.operator.suspendSeller(stop, scope())
  const last = present(seller, 'the seller').version
  const ofSeller = () => heard.sellers.filter((one) => one.sellerId === sellerId)
  await eventually(() => expect(ofSeller().at(-1)?.version).toBe(last), { withinMs: 30_000 })
  const versions = ofSeller().map((one) => one.version)
  expect(versions).toEqual(Array.from({ length: Number(last) }, (_, index) => BigInt(index + 1)))
  expect(ofSeller().at(-1)).toMatchObject({ state: Seller_State.SUSPENDED, selling: false })
  expect(ofSeller().at(-2)).toMatchObject({ state: Seller_State.ACTIVE, selling: true })
  const ofOffer = heard.offers.filter((one) => one.offerId === made.offerId)
  expect(ofOffer.map((one) => `${one.version}:${one.price?.minor}`)).toEqual(['1:1999', '2:999'])
})
