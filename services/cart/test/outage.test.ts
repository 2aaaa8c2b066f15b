import {
  exchange,
  freePorts,
  makeTemporaryFolder,
  type RedisServer,
  startRedis,
} from '@holdfast/backing'
import { isHoldfastError, present } from '@holdfast/kernel'
import { LiveOffer_Availability } from '@holdfast/proto/cart'
import { newId } from '@holdfast/runtime'
import { backing, eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  addRequest,
  type CartUnderTest,
  guestCaller,
  requestId,
  scope,
  startCart,
} from './cart-under-test.ts'
import { type Gate, openGate } from './gate.ts'

const folder = makeTemporaryFolder()
let port: number
let redis: RedisServer
let gate: Gate
let carts: CartUnderTest

const startOwn = () => startRedis({ dataFolder: folder.path, port, report: () => undefined })

/** One Redis command as a person types it. */
async function command(text: string): Promise<string> {
  const endpoint = { host: '127.0.0.1', port }
  const answer = await exchange(endpoint, `${text}\r\n`, AbortSignal.timeout(5_000))
  return answer.toString('latin1')
}

beforeAll(async () => {
  port = (await freePorts(1))[0] ?? 0
  redis = await startOwn()
  gate = await openGate(new URL(backing().postgresAdminUrl).host)
  carts = await startCart({ redisUrl: redis.url, postgresAddress: gate.address })
})

afterAll(async () => {
  await carts[Symbol.asyncDispose]()
  await gate[Symbol.asyncDispose]()
  await redis.stop()
  folder.remove()
})

beforeEach(async () => {
  gate.open()
  await eventually(async () => (await command('PING')).startsWith('+PONG'), { withinMs: 10_000 })
  // Both ways are well again, for both copies of the service, before a test begins.
  await command('FLUSHALL')
  const guests = [0, 1].map((copy) => carts.clientOf(guestCaller(), copy))
  await eventually(
    async () => {
      const { offerId } = carts.neighbours.addOffer()
      for (const guest of guests) await guest.addLine(addRequest(offerId), scope())
      return (await copyCount()) === 2
    },
    { withinMs: 20_000 },
  )
  await command('FLUSHALL')
})

async function copyCount(): Promise<number> {
  return Number(/:(\d+)/.exec(await command('DBSIZE'))?.[1] ?? 0)
}

async function filledCart(lineCount = 3) {
  const guest = carts.clientOf(guestCaller())
  const quantities = new Map<string, number>()
  for (let index = 1; index <= lineCount; index += 1) {
    const { offerId } = carts.neighbours.addOffer()
    await guest.addLine(addRequest(offerId, index), scope())
    quantities.set(offerId, index)
  }
  return { guest, quantities }
}

type Client = Awaited<ReturnType<typeof filledCart>>['guest']

async function read(guest: Client) {
  const answer = await guest.getCart({ cartId: '' }, scope())
  const quantities = new Map(answer.lines.map((line) => [line.offerId, line.quantity]))
  return { ...answer, quantities }
}

async function kindOf(call: Promise<unknown>): Promise<string> {
  const failure = await call.then(
    () => 'no failure',
    (error: unknown) => error,
  )
  return isHoldfastError(failure) ? failure.kind : String(failure)
}

test('I7: without Redis every change is served, and kept', async () => {
  const { guest, quantities } = await filledCart()
  await redis.stop()
  const { offerId } = carts.neighbours.addOffer()
  await guest.addLine(addRequest(offerId, 7), scope())
  expect(await read(guest)).toMatchObject({
    quantities: new Map([...quantities, [offerId, 7]]),
    stale: false,
  })
  redis = await startOwn()
})

test('I7: no change waits for a frozen Redis', async () => {
  const { guest } = await filledCart()
  if (redis.pid !== undefined) process.kill(redis.pid, 'SIGSTOP')
  try {
    // All five are acknowledged while Redis stands still.
    for (let index = 0; index < 5; index += 1) {
      await guest.addLine(addRequest(carts.neighbours.addOffer().offerId), scope())
    }
  } finally {
    if (redis.pid !== undefined) process.kill(redis.pid, 'SIGCONT')
  }
  expect((await read(guest)).lines).toHaveLength(8)
})

test('I7, I14: without Postgres a cart is read from its copy, whole and marked stale', async () => {
  const { guest, quantities } = await filledCart()
  gate.shut()
  expect(await read(guest)).toMatchObject({ quantities, stale: true })
  const request = addRequest(carts.neighbours.addOffer().offerId, 5)
  expect(await kindOf(guest.addLine(request, scope()))).toMatch(/^(unavailable|outcome-unknown)$/)
  expect(await read(guest)).toMatchObject({ quantities, stale: true })
  gate.open()
  // I6: the same key, after the fault, adds once.
  await eventually(() => guest.addLine(request, scope()), { withinMs: 10_000 })
  await guest.addLine(request, scope())
  expect(await read(guest)).toMatchObject({
    quantities: new Map([...quantities, [request.offerId, 5]]),
    stale: false,
  })
})

test('a Postgres that swallows everything is answered for by the copy in time', async () => {
  const { guest, quantities } = await filledCart()
  gate.freeze()
  expect(await read(guest)).toMatchObject({ quantities, stale: true })
})

test('without both a cart is unavailable, never empty', async () => {
  const { guest } = await filledCart()
  gate.shut()
  await redis.stop()
  expect(await kindOf(guest.getCart({ cartId: '' }, scope()))).toBe('unavailable')
  redis = await startOwn()
})

test('a buyer without a copy is told unavailable, never an empty cart', async () => {
  const { guest } = await filledCart()
  await command('FLUSHALL')
  gate.shut()
  expect(await kindOf(guest.getCart({ cartId: '' }, scope()))).toBe('unavailable')
})

test('a wiped Redis is filled again by reading, not only by changes', async () => {
  const { guest, quantities } = await filledCart()
  await command('FLUSHALL')
  await read(guest)
  await eventually(async () => (await copyCount()) === 1, { withinMs: 5_000 })
  gate.shut()
  expect(await read(guest)).toMatchObject({ quantities, stale: true })
})

test('garbage in the copy is no cart', async () => {
  const { guest } = await filledCart()
  const key = /cart:\S+/.exec(await command('KEYS cart:*'))?.[0] ?? ''
  await command(`HSET ${key} d garbage`)
  gate.shut()
  expect(await kindOf(guest.getCart({ cartId: '' }, scope()))).toBe('unavailable')
})

test('I8: the copy of a cart that an order took does not come back as an open cart', async () => {
  const { guest } = await filledCart()
  const { cart } = await read(guest)
  const claimed = present(cart, 'the cart')
  await carts.checkout.claimForCheckout(
    {
      requestId: requestId(),
      cartId: claimed.cartId,
      buyerId: claimed.buyerId,
      orderId: newId('order'),
      expectedVersion: claimed.version,
    },
    scope(),
  )
  gate.shut()
  expect(await kindOf(guest.getCart({ cartId: '' }, scope()))).toBe('unavailable')
})

test("I17: a stranger gets nobody's copy", async () => {
  const { guest } = await filledCart()
  const { cart } = await read(guest)
  const stranger = carts.clientOf(guestCaller())
  gate.shut()
  const cartId = present(cart, 'the cart').cartId
  expect(await kindOf(stranger.getCart({ cartId }, scope()))).toBe('unavailable')
  expect(await kindOf(stranger.getCart({ cartId: '' }, scope()))).toBe('unavailable')
})

test('while inventory is away prices are shown and availability is unknown', async () => {
  const { guest } = await filledCart(1)
  carts.neighbours.isInventoryAway = true
  const { lines, subtotal } = await read(guest)
  carts.neighbours.isInventoryAway = false
  expect(lines[0]?.live).toMatchObject({
    availability: LiveOffer_Availability.UNKNOWN,
    priceChanged: false,
  })
  expect(subtotal?.minor).toBe(1_250n)
})

test('while the seller service is away a first add is refused, a repeat answered', async () => {
  const guest = carts.clientOf(guestCaller())
  const done = addRequest(carts.neighbours.addOffer().offerId, 2)
  const first = await guest.addLine(done, scope())
  const fresh = addRequest(carts.neighbours.addOffer().offerId)
  carts.neighbours.isAway = true
  expect(await kindOf(guest.addLine(fresh, scope()))).toBe('unavailable')
  expect(await guest.addLine(done, scope())).toEqual(first)
  carts.neighbours.isAway = false
  await guest.addLine(fresh, scope())
})
