import { Order, Order_State, OrderTransition } from '@holdfast/proto/checkout'
import { Seller, Seller_State } from '@holdfast/proto/seller'
import { expect, test } from 'vitest'
import { checkLines, sellerPath, splitTable, transitionLine, whereToLook } from './demo-report.ts'

const eur = (minor: bigint) => ({ currencyCode: 'EUR', minor })

const part = (displayName: string, scale: bigint) => ({
  displayName,
  amounts: {
    goods: eur(1_000n * scale),
    shipping: eur(200n * scale),
    sellerTax: eur(228n * scale),
    platformTax: eur(0n),
    total: eur(1_428n * scale),
    commission: eur(100n * scale),
    commissionTax: eur(19n * scale),
    sellerShare: eur(1_309n * scale),
  },
})

const order = Order.fromPartial({
  orderId: 'ord_1',
  createTime: new Date('2026-01-01T00:00:00.000Z'),
  subOrders: [part('Lamp Works', 1n), part('Paper Mill', 2n)],
})

test('the split has a column per seller and their sum', () => {
  const table = splitTable(order)
  expect(table).toMatch(/Lamp Works.*Paper Mill.*together/)
  expect(table).toMatch(/the buyer pays.*EUR 14\.28.*EUR 28\.56.*EUR 42\.84/)
  expect(table).toMatch(/the seller gets.*EUR 13\.09.*EUR 26\.18.*EUR 39\.27/)
})

test('a split with an amount that is missing has no sum that would be wrong', () => {
  const lacking = Order.fromPartial({ subOrders: [part('Lamp Works', 1n), { displayName: 'X' }] })
  expect(splitTable(lacking)).toMatch(/the buyer pays.*EUR 14\.28 │ +- │ +- │/)
})

test('a state is told with when it came and what it means', () => {
  const entered = OrderTransition.fromPartial({
    state: Order_State.PAID,
    transitionTime: new Date('2026-01-01T00:00:01.500Z'),
  })
  expect(transitionLine(order, entered)).toMatch(/^PAID +after 1\.5 s +charged once/)
})

test('every state that an order of the demo can enter says what it means', () => {
  const silent = Object.values(Order_State)
    .filter((state) => state !== Order_State.UNSPECIFIED && state !== Order_State.COMPLETED)
    .filter((state) => !/ {2}\w+ \w+/.test(transitionLine(order, transition(state))))
  expect(silent).toEqual([])
})

function transition(state: Order_State): OrderTransition {
  return OrderTransition.fromPartial({ state, transitionTime: order.createTime })
}

test("a seller's way in is told by its states", () => {
  const history = [{ state: Seller_State.APPLIED }, { state: Seller_State.ACTIVE }]
  expect(sellerPath(Seller.fromPartial({ history }))).toBe('APPLIED -> ACTIVE')
})

test('a check that does not hold is seen at a glance', () => {
  const lines = checkLines([
    { what: 'one', holds: true, found: 'a' },
    { what: 'two', holds: false, found: 'b' },
  ])
  expect(lines).toBe('  yes  one (a)\n  NO   two (b)')
})

test('where to look names the addresses in use, and the token once', () => {
  const checkout = { name: 'checkout', copy: 1, address: 'h:2', operationsAddress: 'h:9' }
  const endpoints = {
    launcher: 1,
    backing: [],
    processes: [checkout, { name: 'checkout-jobs', copy: 1, operationsAddress: 'h:8' }],
    secretsFolder: '',
    logsFolder: '',
    webUi: 'http://h:1',
    onboardingApi: 'http://h:5/v1',
    services: { checkout: ['h:2'], cart: ['h:3'], seller: ['h:4'] },
  }
  const text = whereToLook({ endpoints, order, accessToken: 'abc', offerIds: ['ofr_1', 'ofr_2'] })
  expect(text).toContain('http://h:1/namespaces/default/workflows/order%2Ford_1')
  expect(text).toMatch(/checkout +h:2 +http:\/\/h:9\/metrics/)
  expect(text).toContain('http://h:5/v1/openapi.json')
  expect(text.match(/^node_modules\/\.bin\/buf curl .* http:\/\/h:\d\/holdfast\./gm)).toHaveLength(
    3,
  )
  expect(text).toContain(`'{"offer_ids":["ofr_1","ofr_2"]}'`)
  expect(text.match(/abc/g)).toHaveLength(1)
})
