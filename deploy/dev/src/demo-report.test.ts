import { Order } from '@holdfast/proto/checkout'
import { expect, test } from 'vitest'
import { checkLines, splitTable, whereToLook } from './demo-report.ts'

const eur = (minor: bigint) => ({ currencyCode: 'EUR', minor })

const order = Order.fromPartial({
  orderId: 'ord_1',
  totals: { goods: eur(1_000n), shipping: eur(200n), tax: eur(228n), total: eur(1_428n) },
  subOrders: [
    {
      displayName: 'Lamp Works',
      amounts: {
        goods: eur(1_000n),
        shipping: eur(200n),
        sellerTax: eur(228n),
        platformTax: eur(0n),
        total: eur(1_428n),
        commission: eur(100n),
        commissionTax: eur(19n),
        sellerShare: eur(1_309n),
      },
    },
  ],
})

test('the split has a row per seller and adds the taxes of both remitters', () => {
  const table = splitTable(order)
  expect(table).toMatch(/Lamp Works.*EUR 10\.00.*EUR 2\.00.*EUR 2\.28.*EUR 14\.28/)
  expect(table).toMatch(/EUR 1\.19.*EUR 13\.09/)
  expect(table).toMatch(/together/)
})

test('a check that does not hold is seen at a glance', () => {
  const lines = checkLines([
    { what: 'one', holds: true, found: 'a' },
    { what: 'two', holds: false, found: 'b' },
  ])
  expect(lines).toBe('  yes  one (a)\n  NO   two (b)')
})

test('the calls to paste name the addresses in use, and the token once', () => {
  const endpoints = {
    launcher: 1,
    backing: [],
    processes: [],
    secretsFolder: '',
    logsFolder: '',
    webUi: 'http://127.0.0.1:1',
    services: { checkout: ['127.0.0.1:2'], cart: ['127.0.0.1:3'], seller: ['127.0.0.1:4'] },
  }
  const text = whereToLook({ endpoints, order, accessToken: 'abc', offerId: 'ofr_1', root: '/r' })
  expect(text).toContain('http://127.0.0.1:1/namespaces/default/workflows/order%2Ford_1')
  expect(text.match(/buf curl/g)).toHaveLength(3)
  expect(text).toContain('http://127.0.0.1:2/holdfast.checkout.v1.CheckoutService/GetOrder')
  expect(text.match(/abc/g)).toHaveLength(1)
})
