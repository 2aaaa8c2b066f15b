import { spawn } from 'node:child_process'
import { present } from '@holdfast/kernel'
import { enterAsGuest, fillCart, placeOrder, quoteCart } from '@holdfast/dev'
import { eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

const marketplace = openMarketplace()

const entering = () => enterAsGuest(marketplace.stage())

async function flushRedis(): Promise<void> {
  const redis = marketplace.endpoints().backing.find((one) => one.name === 'redis')
  const [host = '', port = ''] = present(redis, 'Redis').address.split(':')
  const child = spawn('redis-cli', ['-h', host, '-p', port, 'FLUSHALL'])
  const code = await new Promise((resolve) => child.once('exit', resolve))
  expect(code).toBe(0)
}

test('I15: nobody is logged out when Redis is flushed and killed under traffic', async () => {
  const shop = await marketplace.openShop({ units: 100 })
  const guests = await Promise.all(Array.from({ length: 10 }, entering))
  const useAll = () =>
    Promise.all(guests.map((guest) => fillCart(guest, [{ ...shop.offer, quantity: 1 }])))
  await useAll()
  await flushRedis()
  await useAll()
  await marketplace.killAndAwaitReturn('redis')
  await useAll()
  for (const guest of guests) await guest[Symbol.asyncDispose]()
})

test('I18: the seller view equals the truth 30 s after NATS was killed', async () => {
  const shop = await marketplace.openShop({ units: 50 })
  await marketplace.killAndAwaitReturn('nats')
  await using guest = await entering()
  const quote = await quoteCart(guest, await fillCart(guest, [{ ...shop.offer, quantity: 3 }]))
  await placeOrder(guest, {
    quoteId: quote.quoteId,
    paymentMethodToken: 'pm_sim_ok',
    waitFor: 'PAID',
  })
  await eventually(
    async () => {
      const truth = await shop.stock()
      expect(truth.onHand).toBe(47)
      expect(await shop.stockView()).toMatchObject({ ...truth, stale: false })
    },
    { withinMs: 30_000 },
  )
})
