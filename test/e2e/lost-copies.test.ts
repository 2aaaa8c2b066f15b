import { spawn } from 'node:child_process'
import { enterAsGuest, fillCart, placeOrder, quoteCart, type WantedOffer } from '@holdfast/dev'
import { STOCK_STREAM } from '@holdfast/bus'
import { present } from '@holdfast/kernel'
import { deleteStream, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { openGuest } from './guest.ts'
import { openMarketplace } from './marketplace.ts'

/** Time for a step of the traffic: all devices share two cores with everything else. */
const TRAFFIC_MS = 30_000

const marketplace = openMarketplace()

/** Most units of one line of a cart. */
const UNITS_MAX = 99

/** A guest with a session that is refreshed, and with a cart. */
interface Device {
  /** Refreshes its session, puts a unit into its cart and reads all units back (I7). */
  use(): Promise<void>
  /** Uses that ended well. */
  readonly uses: number
}

async function openDevice(offer: WantedOffer): Promise<Device> {
  const guest = await openGuest(marketplace.stage())
  const { actor } = guest
  let [units, uses] = [0, 0]
  return {
    use: async () => {
      await guest.refresh()
      if (units < UNITS_MAX) {
        await fillCart(actor, [offer])
        units += 1
      }
      const cart = await actor.ask(async (scope) =>
        actor.clients.cart.getCart({ cartId: '' }, scope),
      )
      expect(cart.lines.map(({ quantity }) => quantity)).toEqual([units])
      uses += 1
    },
    get uses() {
      return uses
    },
  }
}

async function redisCommand(command: string): Promise<void> {
  const redis = marketplace.endpoints().backing.find((one) => one.name === 'redis')
  const [host = '', port = ''] = present(redis, 'Redis').address.split(':')
  const child = spawn('redis-cli', ['-h', host, '-p', port, command])
  const code = await new Promise((resolve) => child.once('exit', resolve))
  if (code !== 0) throw new Error(`redis-cli ${command} ended with ${String(code)}.`)
}

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

async function useAll(devices: readonly Device[]): Promise<void> {
  await Promise.all(devices.map((device) => device.use()))
}

/** Uses every device again and again until it is stopped; a use that fails, fails the test. */
function startTraffic(devices: readonly Device[]) {
  const stop = new AbortController()
  const running = Promise.all(
    devices.map(async (device) => {
      while (!stop.signal.aborted) await device.use()
    }),
  )
  // Told where the traffic is awaited, not as a rejection that nobody handles.
  running.catch(() => undefined)
  const over = async <T>(work: Promise<T>): Promise<T> => {
    const first = await Promise.race([running.then(() => undefined), work.then((value) => [value])])
    return present(first?.[0], 'the traffic')
  }
  return {
    /** Every device has begun and ended a use from now on. */
    goOn: async () => {
      const before = devices.map(({ uses }) => uses)
      const isSo = () => devices.every(({ uses }, index) => uses >= (before[index] ?? 0) + 2)
      await over(eventually(() => isSo() && 'yes', { withinMs: TRAFFIC_MS }))
    },
    until: async (check: () => Promise<boolean>) =>
      over(eventually(async () => (await check()) && 'yes', { withinMs: TRAFFIC_MS })),
    stop: async () => {
      stop.abort()
      await running
    },
  }
}

test('I7, I15: Redis flushed, frozen and killed logs nobody out and loses no unit', async () => {
  await using shop = await marketplace.openShop({ units: 100 })
  const devices = await Promise.all(Array.from({ length: 10 }, () => openDevice(shop.offer)))
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

  const traffic = startTraffic(devices)
  await traffic.goOn()
  const healthy = await copyReads()
  await redisCommand('FLUSHALL')
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
