import { expect, test } from 'vitest'
import { median, spreadOf } from './statistics.ts'

test('the median is the middle value, whatever the order', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([4, 1, 3, 2])).toBe(2.5)
  expect(median([7])).toBe(7)
})

test('values are compared as numbers', () => {
  expect(median([10, 9, 100])).toBe(10)
})

test('nothing has no median', () => {
  expect(() => median([])).toThrow('nothing to measure')
})

test('the spread goes from the least to the most', () => {
  expect(spreadOf([3, 1, 2, 100, 4])).toEqual({ median: 3, least: 1, most: 100 })
})
