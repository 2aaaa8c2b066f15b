import { isHoldfastError, present } from '@holdfast/kernel'
import { Cart_State, LiveOffer_Availability } from '@holdfast/proto/cart'
import { newId } from '@holdfast/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  accountCaller,
  addRequest,
  type CartUnderTest,
  guestCaller,
  requestId,
  scope,
  startCart,
} from './cart-under-test.ts'

let carts: CartUnderTest

beforeAll(async () => {
  carts = await startCart()
})

afterAll(async () => carts[Symbol.asyncDispose]())

async function refusalOf(call: Promise<unknown>): Promise<string> {
  const failure = await call.then(
    () => 'no refusal',
    (error: unknown) => error,
  )
  return isHoldfastError(failure) ? failure.reason : String(failure)
}

test('I6: 50 repeats of one request over two copies add once', async () => {
  const guest = carts.clientOf(guestCaller())
  const request = addRequest(carts.neighbours.addOffer().offerId, 3)
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => guest.addLine(request, scope())),
  )
  expect(new Set(answers.map((answer) => answer.cart?.version))).toEqual(
    new Set([answers[0]?.cart?.version]),
  )
  const { lines } = await guest.getCart({ cartId: '' }, scope())
  expect(lines.map((line) => line.quantity)).toEqual([3])
})

test('I7, I12: three devices add at once: each acknowledged change has a version', async () => {
  const caller = guestCaller()
  const devices = [carts.clientOf(caller), carts.clientOf(caller), carts.clientOf(caller)]
  const offers = Array.from({ length: 30 }, () => carts.neighbours.addOffer())
  const answers = await Promise.all(
    offers.map(async (offer, index) =>
      present(devices[index % 3], 'a device').addLine(addRequest(offer.offerId), scope()),
    ),
  )
  const versions = answers.map((answer) => present(answer.cart, 'the cart').version)
  expect(new Set(versions).size).toBe(30)
  const { cart, lines } = await present(devices[0], 'a device').getCart({ cartId: '' }, scope())
  expect(lines.map((line) => line.offerId).toSorted()).toEqual(
    offers.map((offer) => offer.offerId as string).toSorted(),
  )
  expect(cart).toMatchObject({ lineCount: 30, version: 31n })
})

test('adding is relative, setting is not, and a stale line version is refused', async () => {
  const guest = carts.clientOf(guestCaller())
  const { offerId } = carts.neighbours.addOffer()
  await guest.addLine(addRequest(offerId, 2), scope())
  const { cart, line } = await guest.addLine(addRequest(offerId, 5), scope())
  expect(line).toMatchObject({ quantity: 7, lineVersion: 2n })
  const set = { requestId: requestId(), cartId: present(cart, 'cart').cartId, offerId, quantity: 4 }
  expect(await refusalOf(guest.setLineQuantity({ ...set, expectedLineVersion: 1n }, scope()))).toBe(
    'VERSION_MISMATCH',
  )
  const after = await guest.setLineQuantity({ ...set, expectedLineVersion: 2n }, scope())
  expect(after.line).toMatchObject({ quantity: 4, lineVersion: 3n })
})

test('a removed line is gone, stays removed, and may come back as a new one', async () => {
  const guest = carts.clientOf(guestCaller())
  const { offerId } = carts.neighbours.addOffer()
  const { cart } = await guest.addLine(addRequest(offerId, 2), scope())
  const remove = () => ({ requestId: requestId(), cartId: cart?.cartId ?? '', offerId })
  const gone = await guest.removeLine({ ...remove(), expectedLineVersion: undefined }, scope())
  expect(gone.line?.quantity).toBe(0)
  const again = await guest.removeLine({ ...remove(), expectedLineVersion: undefined }, scope())
  expect(again.cart?.version).toBe(gone.cart?.version)
  expect((await guest.getCart({ cartId: '' }, scope())).lines).toEqual([])
  const back = await guest.addLine(addRequest(offerId, 1), scope())
  expect(back.line).toMatchObject({ quantity: 1, lineVersion: 3n })
})

test('limits are refused with what they are, and change nothing', async () => {
  const guest = carts.clientOf(guestCaller())
  const { offerId } = carts.neighbours.addOffer()
  const { cart } = await guest.addLine(addRequest(offerId, 60), scope())
  expect(await refusalOf(guest.addLine(addRequest(offerId, 40), scope()))).toBe('CART_LIMIT')
  const dollars = carts.neighbours.addOffer({ price: { currency: 'USD', minor: 5n } })
  expect(await refusalOf(guest.addLine(addRequest(dollars.offerId), scope()))).toBe(
    'CURRENCY_MISMATCH',
  )
  const retired = carts.neighbours.addOffer({ isRetired: true, isSold: false })
  expect(await refusalOf(guest.addLine(addRequest(retired.offerId), scope()))).toBe('OFFER_RETIRED')
  expect(await refusalOf(guest.addLine(addRequest(newId('offer')), scope()))).toBe(
    'OFFER_NOT_FOUND',
  )
  expect((await guest.getCart({ cartId: '' }, scope())).cart?.version).toBe(cart?.version)
})

test('GetCart flags a changed price and what can be had, and less while none answers', async () => {
  const guest = carts.clientOf(guestCaller())
  const offer = carts.neighbours.addOffer()
  carts.neighbours.levels.set(offer.itemId, 1)
  const request = {
    ...addRequest(offer.offerId, 2),
    seenPrice: { currencyCode: 'EUR', minor: 999n },
  }
  await guest.addLine(request, scope())
  const { lines, subtotal } = await guest.getCart({ cartId: '' }, scope())
  expect(lines[0]?.live).toMatchObject({
    priceChanged: true,
    availability: LiveOffer_Availability.TOO_FEW,
  })
  expect(subtotal).toEqual({ currencyCode: 'EUR', minor: 2_500n })
  carts.neighbours.isAway = true
  const dim = await guest.getCart({ cartId: '' }, scope())
  carts.neighbours.isAway = false
  expect(dim.lines.map((line) => [line.quantity, line.live])).toEqual([[2, undefined]])
})

test("I17: another buyer's cart looks like a missing one", async () => {
  const owner = carts.clientOf(guestCaller())
  const { cart } = await owner.addLine(addRequest(carts.neighbours.addOffer().offerId), scope())
  const stranger = carts.clientOf(guestCaller())
  const looks = await Promise.all(
    [cart?.cartId ?? '', newId('cart')].map(async (cartId) =>
      stranger.getCart({ cartId }, scope()).catch((error: unknown) => String(error)),
    ),
  )
  expect(looks[0]).toBe(looks[1])
})

test('I12: log-in adopts the guest cart once and says what a limit cut', async () => {
  const guest = guestCaller()
  const [shared, own] = [carts.neighbours.addOffer(), carts.neighbours.addOffer()]
  const before = carts.clientOf(guest)
  await before.addLine(addRequest(shared.offerId, 60), scope())
  await before.addLine(addRequest(own.offerId, 1), scope())
  const account = accountCaller({ guestId: guest.guestId })
  const elsewhere = carts.clientOf({ ...account, guestId: undefined } as typeof account)
  await elsewhere.addLine(addRequest(shared.offerId, 50), scope())
  const after = carts.clientOf(account)
  const reads = await Promise.all(
    Array.from({ length: 10 }, async () => after.getCart({ cartId: '' }, scope())),
  )
  for (const read of reads) {
    expect(new Map(read.lines.map((line) => [line.offerId, line.quantity]))).toEqual(
      new Map<string, number>([
        [shared.offerId, 99],
        [own.offerId, 1],
      ]),
    )
    expect(read.merge?.cappedLines).toEqual([
      { offerId: shared.offerId, wantedQuantity: 110, keptQuantity: 99 },
    ])
  }
  const merged = await carts.database.query('SELECT cart_id FROM cart_merge WHERE version > 0')
  expect(merged.length).toBeGreaterThan(0)
  const old = await after.getCart({ cartId: reads[0]?.merge?.mergedCartId ?? '' }, scope())
  expect(old.cart?.state).toBe(Cart_State.MERGED)
})
