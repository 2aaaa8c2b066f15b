import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  type Actor,
  createActor,
  enterAsGuest,
  fillCart,
  placeOrder,
  quoteCart,
} from '@holdfast/dev'
import { STOCK_STREAM } from '@holdfast/bus'
import { present } from '@holdfast/kernel'
import { deleteStream, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

const marketplace = openMarketplace()

/** A guest whose session is refreshed, which reads the copy in Redis. */
interface Device {
  readonly actor: Actor
  refresh(): Promise<void>
}

async function openDevice(): Promise<Device> {
  const actor = createActor(marketplace.stage())
  const request = { requestId: randomUUID(), deviceName: 'phone' }
  const opened = await actor.ask(async (scope) =>
    actor.clients.session.createGuestSession(request, scope),
  )
  let tokens = present(opened.tokens, 'tokens')
  actor.admit(tokens.accessToken)
  return {
    actor,
    refresh: async () => {
      const again = {
        requestId: randomUUID(),
        refreshToken: tokens.refreshToken,
        actAs: undefined,
      }
      const answer = await actor.ask(async (scope) =>
        actor.clients.session.refreshSession(again, scope),
      )
      tokens = present(answer.tokens, 'tokens')
      actor.admit(tokens.accessToken)
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
  let sum = 0
  for (const one of marketplace.endpoints().processes) {
    if (one.name !== process || one.operationsAddress === undefined) continue
    const text = await (await fetch(`http://${one.operationsAddress}/metrics`)).text()
    for (const line of text.split('\n')) {
      if (!line.startsWith(`${name}{`) || !labels.every((label) => line.includes(label))) continue
      sum += Number(line.split(' ')[1])
    }
  }
  return sum
}

test('I15: nobody is logged out when Redis is flushed and killed under traffic', async () => {
  const shop = await marketplace.openShop({ units: 100 })
  const devices = await Promise.all(Array.from({ length: 10 }, openDevice))
  const useAll = async (): Promise<number> => {
    await Promise.all(
      devices.map(async (device) => {
        await device.refresh()
        await fillCart(device.actor, [shop.offer])
      }),
    )
    return devices.length
  }
  await useAll()
  await useAll()
  expect(await metric('session', 'holdfast_cache_reads_total', 'outcome="hit"')).toBeGreaterThan(0)
  const stop = new AbortController()
  const traffic = (async () => {
    let uses = 0
    while (!stop.signal.aborted) uses += await useAll()
    return uses
  })()
  await redisCommand('FLUSHALL')
  await marketplace.killAndAwaitReturn('redis')
  await useAll()
  stop.abort()
  // Each use ends well or fails the test: a session that were lost would be refused.
  expect(await traffic).toBeGreaterThan(0)
  for (const device of devices) {
    const { lines } = await device.actor.clients.cart.getCart({ cartId: '' }, device.actor.scope())
    expect(lines[0]?.quantity).toBeGreaterThanOrEqual(3)
  }
})

test('I18: a healthy feed takes no snapshot, a killed NATS or lost stream heals', async () => {
  const shop = await marketplace.openShop({ units: 50 })
  await eventually(
    async () => expect(await shop.stockView()).toEqual({ onHand: 50, reserved: 0, stale: false }),
    { withinMs: 30_000 },
  )
  const snapshots = async () => metric('seller-jobs', 'holdfast_seller_stock_snapshots_total')
  const before = await snapshots()
  await buyThree(shop.offer)
  await viewEqualsTruth(shop, 47)
  expect(await snapshots()).toBe(before)

  await marketplace.killAndAwaitReturn('nats')
  await buyThree(shop.offer)
  await viewEqualsTruth(shop, 44)

  const natsUrl = present(marketplace.endpoints().natsUrl, 'address of NATS')
  await deleteStream(natsUrl, STOCK_STREAM.name)
  await buyThree(shop.offer)
  await viewEqualsTruth(shop, 41)
  // What counts the snapshots does count: the two faults took some.
  expect(await snapshots()).toBeGreaterThan(before)
})

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
