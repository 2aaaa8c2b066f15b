import {
  type AccountId,
  canMove,
  type GuestId,
  isHoldfastError,
  type OfferId,
  present,
  uuidOf,
} from '@holdfast/kernel'
import type { Cart } from '@holdfast/proto/cart'
import { newId } from '@holdfast/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CART_GRAPH, type CartState } from '../src/domain.ts'
import {
  accountCaller,
  addRequest,
  type CartUnderTest,
  guestCaller,
  requestId,
  scope,
  startCart,
} from './cart-under-test.ts'

/** Other interleavings come by repetition; a round takes some 50 ms. */
const ROUNDS = 40

let carts: CartUnderTest

beforeAll(async () => {
  carts = await startCart()
})

afterAll(async () => carts[Symbol.asyncDispose]())

/** True unless it was refused by the rules; any other failure fails the test. */
async function isDone(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (isHoldfastError(error) && ['conflict', 'illegal-state'].includes(error.kind)) return false
    throw error
  }
}

/** Units per offer in every open or claimed cart of these owners. */
async function unitsOf(owners: readonly (AccountId | GuestId)[]) {
  const rows = await carts.database.query<{ offer_id: string; units: number }>(
    `SELECT l.offer_id, sum(l.quantity)::int AS units FROM cart c JOIN cart_line l USING (cart_id)
     WHERE c.owner_id = ANY ($1::uuid[]) AND c.state IN ('OPEN', 'CLAIMED') AND l.quantity > 0
     GROUP BY l.offer_id`,
    [owners.map((owner) => uuidOf(owner))],
  )
  return new Map(rows.map((row) => [row.offer_id, row.units]))
}

async function stateCounts(owner: AccountId | GuestId) {
  const rows = await carts.database.query<{ state: CartState; carts: number }>(
    'SELECT state, count(*)::int AS carts FROM cart WHERE owner_id = $1 GROUP BY state',
    [uuidOf(owner)],
  )
  return Object.fromEntries(rows.map((row) => [row.state, row.carts]))
}

const claimOf = (cart: Cart, orderId: string) => ({
  requestId: requestId(),
  cartId: cart.cartId,
  buyerId: cart.buyerId,
  orderId,
  expectedVersion: cart.version,
})

test('I12: log-ins, adds from old and new devices and a claim at once lose nothing', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const guest = guestCaller()
    const accountId = newId('account')
    const before = carts.clientOf(guest)
    const after = carts.clientOf(accountCaller({ accountId, guestId: guest.guestId }))
    const elsewhere = carts.clientOf(accountCaller({ accountId }))
    const wanted = new Map<string, number>()
    const add = async (client: typeof before, offerId: OfferId): Promise<void> => {
      if (!(await isDone(client.addLine(addRequest(offerId), scope())))) return
      wanted.set(uuidOf(offerId), (wanted.get(uuidOf(offerId)) ?? 0) + 1)
    }
    const shared = carts.neighbours.addOffer().offerId
    const own = () => carts.neighbours.addOffer().offerId
    await add(before, shared)
    await add(before, own())
    await add(elsewhere, shared)
    const { cart } = await elsewhere.getCart({ cartId: '' }, scope())
    const orderId = newId('order')
    const claim = claimOf(present(cart, 'the cart'), orderId)
    await Promise.all([
      after.getCart({ cartId: '' }, scope()),
      after.getCart({ cartId: '' }, scope()),
      add(after, own()),
      add(elsewhere, own()),
      add(before, own()),
      add(before, shared),
      isDone(carts.checkout.claimForCheckout(claim, scope())),
    ])
    expect(await unitsOf([guest.guestId, accountId])).toEqual(wanted)
    const release = { requestId: requestId(), cartId: claim.cartId, orderId }
    await carts.checkout.releaseClaim(release, scope())
    await after.getCart({ cartId: '' }, scope())
    // With the claim ended everything is in one cart of the account.
    expect(await unitsOf([accountId])).toEqual(wanted)
    expect((await stateCounts(accountId)).OPEN).toBe(1)
    expect(await stateCounts(guest.guestId)).not.toHaveProperty('OPEN')
  }
})

test('I11, I12: a release and adds at once leave one open cart with every line', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const caller = guestCaller()
    const guest = carts.clientOf(caller)
    const offers = Array.from({ length: 4 }, () => carts.neighbours.addOffer().offerId)
    const [first, ...others] = offers
    const { cart } = await guest.addLine(addRequest(present(first, 'an offer'), 2), scope())
    const orderId = newId('order')
    await carts.checkout.claimForCheckout(claimOf(present(cart, 'the cart'), orderId), scope())
    const release = { requestId: requestId(), cartId: cart?.cartId ?? '', orderId }
    await Promise.all([
      carts.checkout.releaseClaim(release, scope()),
      carts.checkout.releaseClaim({ ...release, requestId: requestId() }, scope()),
      ...others.map((offerId) => guest.addLine(addRequest(offerId), scope())),
    ])
    const { lines } = await guest.getCart({ cartId: '' }, scope())
    expect(new Map(lines.map((line) => [line.offerId, line.quantity]))).toEqual(
      new Map(offers.map((offerId, index) => [offerId, index === 0 ? 2 : 1])),
    )
    expect((await stateCounts(caller.guestId)).OPEN).toBe(1)
  }
})

test('I7: a claim and a change at once: what is claimed is what was quoted', async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const guest = carts.clientOf(guestCaller())
    const { offerId } = carts.neighbours.addOffer()
    const { cart } = await guest.addLine(addRequest(offerId, 5), scope())
    const claimed = present(cart, 'the cart')
    const orderId = newId('order')
    const change = { cartId: claimed.cartId, offerId, expectedLineVersion: undefined }
    const [isClaimed, isSet] = await Promise.all([
      isDone(carts.checkout.claimForCheckout(claimOf(claimed, orderId), scope())),
      isDone(guest.setLineQuantity({ ...change, requestId: requestId(), quantity: 9 }, scope())),
    ])
    // One of the two came first, and the other was refused.
    expect(Number(isClaimed) + Number(isSet)).toBe(1)
    const { lines } = await carts.checkout.getCart({ cartId: claimed.cartId }, scope())
    expect(lines.map((line) => line.quantity)).toEqual([isSet ? 9 : 5])
  }
})

test('I10: every move of every cart of these races is in the graph', async () => {
  const rows = await carts.database.query<{
    cart_id: string
    version: string
    from_state: CartState | null
    to_state: CartState
  }>(
    `SELECT cart_id, version::text, from_state, to_state FROM cart_transition
     ORDER BY cart_id, version`,
  )
  expect(rows.length).toBeGreaterThan(ROUNDS * 3)
  const wrong = rows.filter((row, index) => {
    const before = rows[index - 1]
    if (row.cart_id !== before?.cart_id) return row.from_state !== null
    const isNext = row.from_state === before.to_state
    return !isNext || !canMove<CartState>(CART_GRAPH, before.to_state, row.to_state)
  })
  expect(wrong).toEqual([])
  const states = await carts.database.query<{ state: CartState; to_state: CartState }>(
    `SELECT c.state, t.to_state FROM cart c JOIN LATERAL (SELECT to_state FROM cart_transition
       WHERE cart_id = c.cart_id ORDER BY version DESC LIMIT 1) t ON true
     WHERE c.state <> t.to_state`,
  )
  expect(states).toEqual([])
  const counts = await carts.database.query(
    `SELECT c.cart_id FROM cart c LEFT JOIN cart_line l ON l.cart_id = c.cart_id AND l.quantity > 0
     WHERE c.state = 'OPEN' GROUP BY c.cart_id, c.line_count
     HAVING count(l.offer_id) <> c.line_count`,
  )
  expect(counts).toEqual([])
})

test('the locks of these races never crossed', async () => {
  const rows = await carts.database.query(
    'SELECT deadlocks::int AS deadlocks FROM pg_stat_database WHERE datname = $1',
    [carts.database.name],
  )
  expect(rows).toEqual([{ deadlocks: 0 }])
})
