import { expect, test } from 'vitest'
import { conflate } from './conflate.ts'

const row = (seq: bigint, key: string, version: bigint) => ({ seq, key, version })

test('I18: only the newest version of each key is left, in the order of seq', () => {
  const rows = [row(1n, 'a', 1n), row(2n, 'b', 7n), row(3n, 'a', 2n), row(4n, 'c', 1n)]
  expect(conflate(rows)).toEqual([row(2n, 'b', 7n), row(3n, 'a', 2n), row(4n, 'c', 1n)])
})

test('I18: the higher version wins even where its seq is lower', () => {
  expect(conflate([row(1n, 'a', 9n), row(2n, 'a', 8n)])).toEqual([row(1n, 'a', 9n)])
  expect(conflate([])).toEqual([])
})
