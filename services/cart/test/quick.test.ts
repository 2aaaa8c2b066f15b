import { randomBytes } from 'node:crypto'
import { type GuestId, type OfferId, uuidOf } from '@holdfast/kernel'
import { createPrimaryDb, type PrimaryDb, type RequestKey } from '@holdfast/pg'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { createTestDatabase, type TestDatabase } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KnownOffer } from '../src/domain.ts'
import { CART_MIGRATIONS } from '../src/server.ts'
import { addLine, type LineChange, readPresentCart, setLineQuantity } from '../src/store.ts'
import type { Buyer } from '../src/store-merge.ts'
import { tryAddLine, trySetQuantity } from '../src/store-line-quick.ts'
import { requestId } from './cart-under-test.ts'

let database: TestDatabase
let db: PrimaryDb

beforeAll(async () => {
  database = await createTestDatabase({ service: 'cart', migrationFolders: CART_MIGRATIONS })
  db = createPrimaryDb({
    url: database.url('app'),
    password: database.password,
    applicationName: 'cart-test',
    connectionsMax: 10,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
})

afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function newBuyer(id: GuestId = newId('guest')): Buyer {
  return { owner: { kind: 'guest', id }, names: [id], formerGuest: undefined }
}

function newOffer(change: Partial<KnownOffer> = {}): KnownOffer {
  return {
    offerId: newId('offer'),
    sellerId: newId('seller'),
    itemId: newId('stockItem'),
    title: 'Lamp',
    price: { currency: 'EUR', minor: 1_000n },
    version: 1n,
    isSold: true,
    isRetired: false,
    ...change,
  }
}

function keyOf(buyer: Buyer, id = requestId()): RequestKey {
  const [first, ...others] = buyer.names
  const principals = [String(first), ...others.map(String)] as [string, ...string[]]
  return { principals, method: 'AddLine', requestId: id, requestHash: new Uint8Array(32) }
}

const quickly = (buyer: Buyer, offer: KnownOffer, quantity = 1, key = keyOf(buyer)) =>
  tryAddLine(db, { buyer, key }, { offer, quantity, seenPrice: offer.price })

const inSteps = (buyer: Buyer, offer: KnownOffer, quantity = 1, key = keyOf(buyer)) =>
  addLine(
    db,
    { buyer, key, actor: 'test' },
    { offer: () => offer, quantity, seenPrice: undefined, newCartId: () => newId('cart') },
  )

async function filledCart(buyer = newBuyer()) {
  const offer = newOffer()
  const { cart } = await inSteps(buyer, offer)
  return { buyer, offer, cart }
}

async function read(buyer: Buyer) {
  const found = await readPresentCart(db, buyer.owner)
  if (found === undefined) throw new Error('The buyer has no cart.')
  const quantities = new Map(found.lines.map((line) => [line.offerId, line.quantity]))
  return { ...found.cart, quantities }
}

test('one statement adds a line, adds to a line, and brings a removed one back', async () => {
  const { buyer, offer, cart } = await filledCart()
  const other = newOffer()
  const added = await quickly(buyer, other, 2)
  expect(added).toMatchObject({
    cart: { version: cart.version + 1n, lineCount: 2, currency: 'EUR' },
    line: { offerId: other.offerId, quantity: 2, lineVersion: 1n },
  })
  const more = await quickly(buyer, other, 3)
  expect(more).toMatchObject({ cart: { lineCount: 2 }, line: { quantity: 5, lineVersion: 2n } })
  const set = { cartId: cart.cartId, offerId: other.offerId, expectedLineVersion: 2n }
  const key = keyOf(buyer)
  const removed = await trySetQuantity(db, { buyer, key }, { ...set, quantity: 0 })
  expect(removed).toMatchObject({ cart: { lineCount: 1 }, line: { quantity: 0, lineVersion: 3n } })
  const back = await quickly(buyer, other, 4)
  expect(back).toMatchObject({ cart: { lineCount: 2 }, line: { quantity: 4, lineVersion: 4n } })
  expect(await read(buyer)).toMatchObject({
    version: cart.version + 4n,
    quantities: new Map<OfferId, number>([
      [offer.offerId, 1],
      [other.offerId, 4],
    ]),
  })
})

test('removing the last line leaves an empty cart without a currency', async () => {
  const { buyer, offer, cart } = await filledCart()
  const set = { cartId: cart.cartId, offerId: offer.offerId, quantity: 0 }
  const request = { buyer, key: keyOf(buyer) }
  const removed = await trySetQuantity(db, request, { ...set, expectedLineVersion: undefined })
  expect(removed?.cart).toMatchObject({ lineCount: 0, currency: undefined, state: 'OPEN' })
  const dollars = newOffer({ price: { currency: 'USD', minor: 5n } })
  expect(await quickly(buyer, dollars)).toMatchObject({ cart: { lineCount: 1, currency: 'USD' } })
})

test('where there is more to say one statement says nothing and changes nothing', async () => {
  const { buyer, offer, cart } = await filledCart()
  const key = keyOf(buyer)
  await quickly(buyer, offer, 90, key)
  const before = await read(buyer)
  const dollars = newOffer({ price: { currency: 'USD', minor: 5n } })
  const set = { cartId: cart.cartId, offerId: offer.offerId, quantity: 5 }
  const stranger = newBuyer()
  const as = (who: Buyer) => ({ buyer: who, key: keyOf(who) })
  const any = { expectedLineVersion: undefined }
  const silent = await Promise.all([
    quickly(newBuyer(), offer),
    quickly(buyer, offer, 90, key),
    quickly(buyer, dollars),
    quickly(buyer, offer, 9),
    trySetQuantity(db, as(buyer), { ...set, expectedLineVersion: 77n }),
    trySetQuantity(db, as(buyer), { ...set, ...any, offerId: newId('offer') }),
    trySetQuantity(db, as(buyer), { ...set, ...any, cartId: newId('cart') }),
    trySetQuantity(db, as(stranger), { ...set, ...any }),
  ])
  expect(silent).toEqual(silent.map(() => undefined))
  expect(await read(buyer)).toEqual(before)
})

test('the 101st line is left to the way in steps', async () => {
  const { buyer } = await filledCart()
  for (let index = 0; index < 99; index += 1) {
    expect(await quickly(buyer, newOffer())).toBeDefined()
  }
  expect(await quickly(buyer, newOffer())).toBeUndefined()
  expect(await read(buyer)).toMatchObject({ lineCount: 100 })
})

test("a guest's cart that waits to be adopted is left to the way in steps", async () => {
  const guest = await filledCart()
  const accountId = newId('account')
  const owner = { kind: 'account', id: accountId } as const
  const before = await filledCart({ owner, names: [accountId], formerGuest: undefined })
  const formerGuest = guest.buyer.owner.id as GuestId
  const buyer: Buyer = { owner, names: [accountId, formerGuest], formerGuest }
  expect(await quickly(buyer, newOffer())).toBeUndefined()
  await inSteps(buyer, newOffer())
  // Adopted: from now on one statement is enough again.
  expect(await quickly(buyer, newOffer())).toMatchObject({ cart: { cartId: before.cart.cartId } })
  expect(await read(buyer)).toMatchObject({ lineCount: 4 })
})

test('I6: a request answered to the guest is a repeat for the account it became', async () => {
  const guest = await filledCart()
  const id = requestId()
  const first = await quickly(guest.buyer, guest.offer, 1, keyOf(guest.buyer, id))
  const accountId = newId('account')
  const formerGuest = guest.buyer.owner.id as GuestId
  const owner = { kind: 'account', id: accountId } as const
  const buyer: Buyer = { owner, names: [accountId, formerGuest], formerGuest }
  await inSteps(buyer, newOffer())
  const repeat = await inSteps(buyer, guest.offer, 1, keyOf(buyer, id))
  expect(repeat).toEqual({ ...first, isRepeat: true })
})

test('I6, I12: 400 keys, each sent twice at once, are 400 changes and 400 repeats', async () => {
  const { buyer, cart } = await filledCart()
  const offers = Array.from({ length: 40 }, () => newOffer())
  const keys = Array.from({ length: 400 }, () => requestId())
  const send = async (id: string, index: number) => {
    const offer = offers[index % offers.length] ?? newOffer()
    return inSteps(buyer, offer, 1, keyOf(buyer, id))
  }
  const answers: (readonly [LineChange, LineChange])[] = []
  // As many at once as the pool serves without queueing for longer than it allows.
  for (let start = 0; start < keys.length; start += 20) {
    const some = keys.slice(start, start + 20).map((id, index) => [id, start + index] as const)
    const sent = some.map(([id, index]) => Promise.all([send(id, index), send(id, index)]))
    answers.push(...(await Promise.all(sent)))
  }
  for (const [one, other] of answers) {
    expect({ ...one, isRepeat: true }).toEqual({ ...other, isRepeat: true })
    expect(one.isRepeat).toBe(!other.isRepeat)
  }
  const versions = new Set(answers.map(([one]) => one.cart.version))
  expect(versions.size).toBe(400)
  const after = await read(buyer)
  expect(after).toMatchObject({ version: cart.version + 400n, lineCount: 41 })
  expect([...after.quantities.values()].filter((quantity) => quantity === 10)).toHaveLength(40)
})

test('I12: additions, changes and removals at once keep count and versions', async () => {
  const { buyer, offer, cart } = await filledCart()
  const set = { cartId: cart.cartId, offerId: offer.offerId, expectedLineVersion: undefined }
  const change = async (quantity: number) =>
    setLineQuantity(db, { buyer, key: keyOf(buyer), actor: 'test' }, { ...set, quantity }).then(
      () => 1,
      () => 0,
    )
  const done = await Promise.all(
    Array.from({ length: 90 }, (_, index) => {
      if (index % 3 === 0) return change(0)
      return index % 3 === 1 ? change(3) : inSteps(buyer, offer).then(() => 1)
    }),
  )
  const rows = await database.query<{ version: string; line_count: number; lines: number }>(
    `SELECT version::text, line_count, (SELECT count(*)::int FROM cart_line l
       WHERE l.cart_id = c.cart_id AND quantity > 0) AS lines FROM cart c WHERE cart_id = $1`,
    [uuidOf(cart.cartId)],
  )
  expect(rows[0]?.line_count).toBe(rows[0]?.lines)
  // A removal of a removed line is answered as done and changes nothing.
  const changes = done.reduce((sum: number, one) => sum + one, 0)
  expect(Number(rows[0]?.version)).toBeLessThanOrEqual(Number(cart.version) + changes)
  expect(Number(rows[0]?.version)).toBeGreaterThan(Number(cart.version) + 29)
})

test('I6: the same key with other content is refused', async () => {
  const { buyer, offer } = await filledCart()
  const key = keyOf(buyer)
  await quickly(buyer, offer, 1, key)
  const other = { ...key, requestHash: randomBytes(32) }
  await expect(inSteps(buyer, offer, 2, other)).rejects.toMatchObject({ reason: 'KEY_REUSED' })
})
