import { newId } from '@holdfast/runtime'
import { expect, test } from 'vitest'
import type { ProfileOption } from './domain-peer.ts'
import { shippingRule } from './shipping.ts'

function option(key: string, minor: bigint, countries = ['DE']): ProfileOption {
  const flat = { currency: 'EUR', minor }
  return { optionKey: key, label: key, countries, flat, daysMin: 1, daysMax: 3 }
}

function rates(profiles: Readonly<Record<string, readonly ProfileOption[]>>, country = 'DE') {
  const ids = Object.keys(profiles)
  const map = new Map(ids.map((id) => [id, { shippingProfileId: id, options: profiles[id] ?? [] }]))
  const parcel = { sellerId: newId('seller'), shippingProfileIds: ids, country, currency: 'EUR' }
  return shippingRule(map)(parcel).map((rate) => [rate.optionKey, rate.price.minor])
}

test('one profile: its options for the country, in its own order', () => {
  const profile = [option('fast', 990n), option('slow', 490n), option('sea', 90n, ['FR'])]
  expect(rates({ a: profile })).toEqual([
    ['fast', 990n],
    ['slow', 490n],
  ])
})

test('several profiles: options that all of them have, each price once', () => {
  expect(
    rates({ a: [option('slow', 490n), option('fast', 990n)], b: [option('slow', 200n)] }),
  ).toEqual([['slow', 690n]])
})

test('nothing in common, another country or another currency: no way to ship', () => {
  expect(rates({ a: [option('slow', 490n)], b: [option('fast', 200n)] })).toEqual([])
  expect(rates({ a: [option('slow', 490n)] }, 'AT')).toEqual([])
  const dollars = { ...option('slow', 490n), flat: { currency: 'USD', minor: 490n } }
  expect(rates({ a: [dollars] })).toEqual([])
})
