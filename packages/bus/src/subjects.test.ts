import { expect, test } from 'vitest'
import { factSubject, hintSubject, stockOfSellerFilter, stockSubject } from './subjects.ts'

test('subjects are built from safe parts only', () => {
  expect(stockSubject({ sellerId: 'slr_1', itemId: 'sti_2' })).toBe('stock.v1.slr_1.sti_2')
  expect(stockOfSellerFilter('slr_1')).toBe('stock.v1.slr_1.*')
  expect(factSubject({ service: 'payment', kind: 'captured' })).toBe('facts.v1.payment.captured')
  expect(hintSubject('order.ord_1')).toBe('hint.v1.order.ord_1')
})

test('I17: a wildcard, a dot or a space in an id cannot widen a subject', () => {
  for (const hostile of ['*', '>', 'a.b', 'a b', '', 'x'.repeat(65)]) {
    expect(() => stockSubject({ sellerId: hostile, itemId: 'sti_2' })).toThrow('part of a subject')
    expect(() => stockOfSellerFilter(hostile)).toThrow('part of a subject')
  }
})
