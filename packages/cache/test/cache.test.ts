import { freePorts } from '@holdfast/backing'
import type { Clock } from '@holdfast/kernel'
import { systemClock as clock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type Cache,
  type CacheCodec,
  connectCache,
  createVersionedCache,
  type VersionedCache,
} from '../src/index.ts'
import { type OwnRedis, startOwnRedis } from './own-redis.ts'

const TEXT: CacheCodec<string> = {
  encode: (value) => new TextEncoder().encode(`t:${value}`),
  decode: (bytes) => {
    const text = new TextDecoder().decode(bytes)
    if (!text.startsWith('t:')) throw new Error('not a text')
    return text.slice(2)
  },
}

let redis: OwnRedis
let raw: Redis
let cache: Cache
let copies: VersionedCache<string>

function copiesIn(over: Cache): VersionedCache<string> {
  return createVersionedCache({ cache: over, prefix: 's:', ttlMs: 60_000, codec: TEXT })
}

async function open(url: string, over: Clock = clock): Promise<Cache> {
  const opened = connectCache({ url, name: 'test', log: SILENT_LOGGER, clock: over })
  await eventually(() => expect(opened.isAvailable).toBe(true), { withinMs: 5_000 })
  return opened
}

/** The system's clock; it notes each wait, ms, and its time stands still while it is held. */
function watchedClock() {
  const waits: number[] = []
  let heldAtMs: number | undefined
  const watched: Clock = {
    ...clock,
    monotonicMs: () => heldAtMs ?? clock.monotonicMs(),
    sleep: async (durationMs, signal) => {
      waits.push(durationMs)
      return clock.sleep(durationMs, signal)
    },
  }
  return {
    clock: watched,
    waits,
    hold: () => {
      heldAtMs = clock.monotonicMs()
    },
    goOn: () => {
      heldAtMs = undefined
    },
  }
}

beforeAll(async () => {
  redis = await startOwnRedis()
  raw = new Redis(redis.url)
  cache = await open(redis.url)
  copies = copiesIn(cache)
})
beforeEach(() => raw.flushall())
afterAll(async () => {
  await cache[Symbol.asyncDispose]()
  raw.disconnect()
  await redis[Symbol.asyncDispose]()
})

test('I14: the higher version wins, whoever writes last', async () => {
  expect(await copies.store('a', { version: 2n, value: 'two' })).toBe('stored')
  expect(await copies.store('a', { version: 1n, value: 'one' })).toBe('older')
  expect(await copies.store('a', { version: 2n, value: 'other two' })).toBe('older')
  expect(await copies.read('a')).toEqual({ kind: 'hit', version: 2n, value: 'two' })
  expect(await copies.store('a', { version: 10n, value: 'ten' })).toBe('stored')
  expect(await copies.read('a')).toEqual({ kind: 'hit', version: 10n, value: 'ten' })
})

test('versions are compared as whole numbers up to int64', async () => {
  const low = 9_007_199_254_740_992n
  expect(await copies.store('a', { version: low + 1n, value: 'new' })).toBe('stored')
  expect(await copies.store('a', { version: low, value: 'old' })).toBe('older')
  expect(await copies.store('a', { version: 9_223_372_036_854_775_807n, value: 'max' })).toBe(
    'stored',
  )
  expect(await copies.read('a')).toMatchObject({ value: 'max' })
})

test('I14: 200 writers in any order leave the highest version', async () => {
  const versions = Array.from({ length: 200 }, (_, index) => BigInt((index * 7) % 200))
  await Promise.all(versions.map((version) => copies.store('a', { version, value: `${version}` })))
  expect(await copies.read('a')).toEqual({ kind: 'hit', version: 199n, value: '199' })
})

test('I16: a tombstone reads as a miss and keeps an earlier copy from coming back', async () => {
  await copies.store('a', { version: 1n, value: 'one' })
  expect(await copies.remove('a', 2n)).toBe('stored')
  expect(await copies.read('a')).toEqual({ kind: 'miss' })
  expect(await copies.store('a', { version: 1n, value: 'late' })).toBe('older')
  expect(await copies.read('a')).toEqual({ kind: 'miss' })
  expect(await copies.store('a', { version: 3n, value: 'three' })).toBe('stored')
  expect(await copies.read('a')).toMatchObject({ value: 'three' })
})

test('copies end: each write sets the time to live', async () => {
  await copies.store('a', { version: 1n, value: 'one' })
  expect(await raw.pttl('s:a')).toBeGreaterThan(50_000)
  await copies.remove('a', 2n)
  expect(await raw.pttl('s:a')).toBeGreaterThan(50_000)
})

test.each([
  ['a string', () => raw.set('s:a', 'garbage')],
  ['a list', () => raw.lpush('s:a', 'garbage')],
  ['a hash of other fields', () => raw.hset('s:a', 'foo', 'bar')],
  ['a version that is no number', () => raw.hset('s:a', 'v', 'x1', 'd', 't:one')],
  ['a version without data', () => raw.hset('s:a', 'v', '5')],
  ['data that cannot be read', () => raw.hset('s:a', 'v', '5', 'd', '\u0000garbage')],
])('%s in a key is a miss and is repaired', async (_name, plant) => {
  await plant()
  expect(await copies.read('a')).toEqual({ kind: 'miss' })
  expect(await copies.store('a', { version: 5n, value: 'five' })).toBe('stored')
  expect(await copies.read('a')).toEqual({ kind: 'hit', version: 5n, value: 'five' })
})

test.each([
  ['a string', () => raw.set('s:a', 'garbage')],
  ['a version without data', () => raw.hset('s:a', 'v', '9')],
])('%s in a key does not keep a copy out', async (_name, plant) => {
  await plant()
  expect(await copies.store('a', { version: 5n, value: 'five' })).toBe('stored')
  expect(await copies.read('a')).toMatchObject({ value: 'five' })
})

test('50 readers that miss together read the database once', async () => {
  let fills = 0
  const fill = async () => {
    fills += 1
    await clock.sleep(20)
    return { version: 4n, value: 'four' }
  }
  const found = await Promise.all(Array.from({ length: 50 }, () => copies.readThrough('a', fill)))
  expect(fills).toBe(1)
  expect(found.every((one) => one?.value === 'four')).toBe(true)
  await eventually(async () => expect(await copies.read('a')).toMatchObject({ kind: 'hit' }), {
    withinMs: 2_000,
  })
  expect(await copies.readThrough('a', fill)).toMatchObject({ source: 'cache' })
  expect(fills).toBe(1)
})

test('a fill that fails fails its readers alone, and the next one tries again', async () => {
  await expect(
    copies.readThrough('a', () => Promise.reject(new Error('database away'))),
  ).rejects.toThrow('database away')
  expect(await copies.readThrough('a', async () => undefined)).toBeUndefined()
})

test('the canary tells that Redis takes, gives and deletes', async () => {
  expect(await cache.checkCanary()).toBe('ok')
  expect(await raw.dbsize()).toBe(0)
})

test('I15: a killed Redis is unavailable at once and healed after it is back', async () => {
  const time = watchedClock()
  await using own = await startOwnRedis()
  await using over = await open(own.url, time.clock)
  const mine = copiesIn(over)
  await mine.store('a', { version: 1n, value: 'one' })
  await own.stop()
  await eventually(() => expect(over.isAvailable).toBe(false), { withinMs: 2_000 })
  const waited = time.waits.length
  for (let index = 0; index < 100; index += 1) {
    expect(await mine.read('a')).toEqual({ kind: 'unavailable' })
  }
  // No command was tried: each would have begun a wait for its answer.
  expect(time.waits).toHaveLength(waited)
  expect(await mine.store('a', { version: 2n, value: 'two' })).toBe('unavailable')
  expect(await over.checkCanary()).toBe('unavailable')
  const fill = async () => ({ version: 2n, value: 'from the database' })
  expect(await mine.readThrough('a', fill)).toMatchObject({ source: 'database' })
  await own.start()
  // A cold Redis has lost the scripts too.
  await eventually(
    async () => expect(await mine.store('a', { version: 3n, value: 'three' })).toBe('stored'),
    { withinMs: 3_000 },
  )
  expect(await mine.read('a')).toMatchObject({ kind: 'hit', version: 3n })
})

test('I15: commands in flight at the kill settle, none hangs', async () => {
  await using own = await startOwnRedis()
  await using over = await open(own.url)
  const mine = copiesIn(over)
  own.signal('SIGSTOP')
  const writes = Array.from({ length: 20 }, (_, index) =>
    mine.store(`k${index}`, { version: 1n, value: 'x' }),
  )
  own.signal('SIGKILL')
  const outcomes = await Promise.all(writes)
  expect(new Set(outcomes)).toEqual(new Set(['unavailable']))
})

test('a frozen Redis costs 200 ms a few times, then nothing, and heals later', async () => {
  const time = watchedClock()
  await using own = await startOwnRedis()
  await using over = await open(own.url, time.clock)
  const mine = copiesIn(over)
  await mine.store('a', { version: 1n, value: 'one' })
  own.signal('SIGSTOP')
  time.waits.length = 0
  time.hold()
  for (let index = 0; index < 200; index += 1) {
    expect(await mine.read('a')).toEqual({ kind: 'unavailable' })
  }
  expect(time.waits).toEqual([200, 200, 200])
  // Half a second later one of all readers tries again.
  time.goOn()
  await eventually(
    async () => {
      expect(await mine.read('a')).toEqual({ kind: 'unavailable' })
      expect(time.waits.length).toBeGreaterThan(3)
    },
    { withinMs: 5_000 },
  )
  own.signal('SIGCONT')
  await eventually(async () => expect(await mine.read('a')).toMatchObject({ kind: 'hit' }), {
    withinMs: 3_000,
  })
})

test('a cache opens without a server and connects when one comes', async () => {
  const [port] = await freePorts(1)
  await using over = connectCache({
    url: `redis://127.0.0.1:${port}`,
    name: 'test',
    log: SILENT_LOGGER,
    clock,
  })
  expect(await copiesIn(over).read('a')).toEqual({ kind: 'unavailable' })
  await using _late = await startOwnRedis({ port: port ?? 0 })
  await eventually(async () => expect(await copiesIn(over).read('a')).toEqual({ kind: 'miss' }), {
    withinMs: 5_000,
  })
})

test('an old dump brings back no tombstoned copy above the database version', async () => {
  await copies.store('a', { version: 1n, value: 'signed in' })
  const dump = await raw.dumpBuffer('s:a')
  await copies.remove('a', 2n)
  await raw.restore('s:a', 0, dump, 'REPLACE')
  // The copy is back, which is why Redis never answers whether something is alive (I16) …
  expect(await copies.read('a')).toMatchObject({ kind: 'hit', version: 1n })
  // … and the next write of the row's present version puts it right.
  expect(await copies.remove('a', 2n)).toBe('stored')
  expect(await copies.read('a')).toEqual({ kind: 'miss' })
})
