import { expect, test } from 'vitest'
import { POSTGRES, REDIS, TEMPORAL, TOXIPROXY } from './tools.ts'
import { isAtLeast, readVersion } from './version.ts'

test('a version is compared number by number', () => {
  expect(isAtLeast([2, 10, 0], [2, 9, 10])).toBe(true)
  expect(isAtLeast([2, 9, 10], [2, 10, 0])).toBe(false)
  expect(isAtLeast([18, 4, 0], [18, 4, 0])).toBe(true)
})

test('text without a number has no version', () => {
  expect(readVersion('toxiproxy-server version git')).toBeUndefined()
})

test('each tool finds its own version in what it prints', () => {
  expect(POSTGRES.versionIn('postgres (PostgreSQL) 18.4')).toEqual([18, 4, 0])
  expect(TOXIPROXY.versionIn('toxiproxy-server version 2.5.0')).toEqual([2, 5, 0])
  expect(REDIS.versionIn('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0')).toEqual([
    7, 0, 15,
  ])
  expect(TEMPORAL.versionIn('temporal version 0.0.0-DEV (Server 1.31.2, UI 2.50.1)')).toEqual([
    1, 31, 2,
  ])
})
