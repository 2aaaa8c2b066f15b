import { enterAsGuest, fillCart, placeOrder, quoteCart } from '@holdfast/dev'
import { STOCK_STREAM } from '@holdfast/bus'
import { present } from '@holdfast/kernel'
import { deleteStream, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { openDevice, redisCommands, startTraffic, TRAFFIC_MS, useAll } from './devices.ts'
import { openMarketplace } from './marketplace.ts'

const marketplace = openMarketplace()

/** Sum of one metric over the copies of a process, with all of these texts in its labels. */
async function metric(process: string, name: string, ...labels: string[]): Promise<number> {
  const byCopy = await marketplace.metricByCopy(process, name, ...labels)
  return byCopy.reduce((sum, one) => sum + one, 0)
}

/** How sessions' copies in Redis were found, as the session service counts them. */
async function copyReads() {
  const of = async (outcome: string) =>
    metric('session', 'holdfast_cache_reads_total', 'copy="s:"', `outcome="${outcome}"`)
  const [hits, misses, unavailable] = [await of('hit'), await of('miss'), await of('unavailable')]
  return { hits, misses, unavailable }
}

test('I7, I15: Redis flushed, frozen and killed logs nobody out and loses no unit', async () => {
  await using shop = await marketplace.openShop({ units: 100 })
  const devices = await Promise.all(
    Array.from({ length: 10 }, () => openDevice(marketplace, shop.offer)),
  )
  await useAll(devices)
  // A refresh reads the copy of its session once, and while Redis is well it is there; a machine
  // under load may take longer than Redis is given, so a round is wanted in which it does not.
  await eventually(
    async () => {
      const before = await copyReads()
      await useAll(devices)
      expect(await copyReads()).toEqual({ ...before, hits: before.hits + devices.length })
    },
    { withinMs: TRAFFIC_MS },
  )

  await using traffic = startTraffic(devices)
  await traffic.goOn()
  const healthy = await copyReads()
  redisCommands(marketplace, ['FLUSHALL'])
  await traffic.until(async () => (await copyReads()).misses > healthy.misses)
  await traffic.goOn()
  const flushed = await copyReads()
  marketplace.signal('redis', 'SIGSTOP')
  await traffic.until(async () => (await copyReads()).unavailable > flushed.unavailable)
  await traffic.goOn()
  await marketplace.killAndAwaitReturn('redis')
  await traffic.goOn()
  const { hits } = await copyReads()
  await traffic.until(async () => (await copyReads()).hits > hits)
  await traffic.stop()
})

test('I18: a healthy feed takes no snapshot, a killed NATS or lost stream heals', async () => {
  const shop = await marketplace.openShop({ units: 50 })
  await eventually(
    async () => expect(await shop.stockView()).toEqual({ onHand: 50, reserved: 0, stale: false }),
    { withinMs: 30_000 },
  )
  const before = await snapshots()
  await buyThree(shop.offer)
  await viewEqualsTruth(shop, 47)
  expect(await snapshots()).toEqual(before)

  await marketplace.killAndAwaitReturn('nats')
  await buyThree(shop.offer)
  await viewEqualsTruth(shop, 44)
  // It came back with what it had, so the feed goes on in its epoch after the gap is closed.
  const afterKill = await snapshots()
  expect(afterKill.all).toBeGreaterThan(before.all)
  expect(afterKill.newEpoch).toBe(before.newEpoch)

  const natsUrl = present(marketplace.endpoints().natsUrl, 'address of NATS')
  await deleteStream(natsUrl, STOCK_STREAM.name)
  await buyThree(shop.offer)
  await viewEqualsTruth(shop, 41)
  expect((await snapshots()).newEpoch).toBeGreaterThan(before.newEpoch)
})

/** Snapshots that the seller's copy of the stock was made anew from, ever and by reason. */
async function snapshots() {
  const name = 'holdfast_seller_stock_snapshots_total'
  return {
    all: await metric('seller-jobs', name),
    newEpoch: await metric('seller-jobs', name, 'reason="new-epoch"'),
  }
}

type Shop = Awaited<ReturnType<typeof marketplace.openShop>>

async function buyThree(offer: Shop['offer']): Promise<void> {
  await using guest = await enterAsGuest(marketplace.stage())
  const quote = await quoteCart(guest, await fillCart(guest, [{ ...offer, quantity: 3 }]))
  await placeOrder(guest, {
    quoteId: quote.quoteId,
    paymentMethodToken: 'pm_sim_ok',
    waitFor: 'PAID',
  })
}

async function viewEqualsTruth(shop: Shop, onHand: number): Promise<void> {
  await eventually(
    async () => {
      const truth = await shop.stock()
      expect(truth).toEqual({ onHand, reserved: 0 })
      expect(await shop.stockView()).toEqual({ ...truth, stale: false })
    },
    { withinMs: 30_000 },
  )
}
