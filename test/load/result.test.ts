import { expect, test } from 'vitest'
import { formatNumber, resultOf, toJson, toTable, withNote } from './result.ts'

const rate = resultOf({
  benchmark: 'checkout-rate/echo/8',
  unit: 'per s',
  aim: { kind: 'at least', bound: 0.8 },
  rounds: [
    { numerator: 20, denominator: 40 },
    { numerator: 36, denominator: 40 },
    { numerator: 50, denominator: 50 },
  ],
})

const events = resultOf({
  benchmark: 'checkout-cost/events',
  unit: 'events per purchase',
  aim: { kind: 'at most', bound: 13 },
  rounds: [{ numerator: 14, denominator: 1 }],
  note: 'exact',
})

const bytes = resultOf({
  benchmark: 'checkout-cost/wal',
  unit: 'bytes per purchase',
  rounds: [{ numerator: 12_345.6, denominator: 1 }],
})

test('the ratio is the median of the ratios of the rounds, not the ratio of the medians', () => {
  expect(rate).toMatchObject({ ratio: 0.9, numerator: 36, denominator: 40, rounds: 3 })
})

test('an aim is told with whether it is met, from either side', () => {
  expect(rate).toMatchObject({ aim: '>= 0.8', met: true })
  expect(events).toMatchObject({ aim: '<= 13', met: false })
  expect(bytes).toMatchObject({ aim: null, met: null })
})

test('a note tells the spread first, then what else there is to know', () => {
  expect(rate.note).toBe('0.5 to 1')
  expect(events.note).toBe('14 to 14; exact')
  expect(withNote(rate, 'forced').note).toBe('0.5 to 1; forced')
})

test('the file holds every field of every line', () => {
  const read = JSON.parse(toJson([rate, bytes])) as Record<string, unknown>[]
  expect(read).toHaveLength(2)
  for (const line of read) {
    expect(Object.keys(line)).toEqual([
      'benchmark',
      'ratio',
      'aim',
      'met',
      'numerator',
      'denominator',
      'unit',
      'rounds',
      'note',
    ])
  }
})

test('the table has aligned columns and each note below its line', () => {
  expect(toTable([rate, events, bytes]).split('\n')).toEqual([
    'benchmark             ratio  aim     met  measured  divided by  unit                 rounds',
    'checkout-rate/echo/8  0.9    >= 0.8  yes  36        40          per s                3',
    '    0.5 to 1',
    'checkout-cost/events  14     <= 13   NO   14        1           events per purchase  1',
    '    14 to 14; exact',
    'checkout-cost/wal     12346  -       -    12346     1           bytes per purchase   1',
    '    12346 to 12346',
    '',
  ])
})

test('numbers have as many decimals as tell something', () => {
  expect([1_234.5, 99.96, 10.04, 9.996, 0.814, 13, 0].map(formatNumber)).toEqual([
    '1235',
    '100',
    '10',
    '10',
    '0.81',
    '13',
    '0',
  ])
})
