import { randomUUID } from 'node:crypto'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type BackingServer,
  exchange,
  freePorts,
  makeTemporaryFolder,
  startRedis,
} from '@holdfast/backing'
import { backing, eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  type SessionBench,
  createSessionBench,
  logIn,
  reasonOf,
  refresh,
  register,
  scope,
  startGuest,
} from './session-kit.ts'

const folder = makeTemporaryFolder()
let port: number
let redis: BackingServer
let bench: SessionBench

const startOwn = () => startRedis({ dataFolder: folder.path, port, report: () => undefined })

beforeAll(async () => {
  port = (await freePorts(1))[0] ?? 0
  redis = await startOwn()
  bench = await createSessionBench({ settings: { REDIS_URL: `redis://127.0.0.1:${port}` } })
})
afterAll(async () => {
  await bench[Symbol.asyncDispose]()
  await redis.stop()
  folder.remove()
})

/** One command as a person types it, and its answer as it comes. */
async function command(text: string): Promise<string> {
  const endpoint = { host: '127.0.0.1', port }
  const answer = await exchange(endpoint, `${text}\r\n`, AbortSignal.timeout(5_000))
  return answer.toString('latin1')
}

async function copies(): Promise<string[]> {
  return (await command('KEYS s:*')).match(/^s:\S+/gm) ?? []
}

function redisAnswers(): Promise<unknown> {
  return eventually(async () => (await command('PING')).startsWith('+PONG'), { withinMs: 10_000 })
}

/** Redis is up, and the server has found out. */
beforeEach(async () => {
  await redisAnswers()
  await command('FLUSHALL')
  await eventually(
    async () => {
      await startGuest(bench.anonymous)
      return (await copies()).length > 0
    },
    { withinMs: 20_000 },
  )
})

/** Ten sessions of both kinds, each refreshed once, with their newest refresh tokens. */
async function liveSessions(): Promise<string[]> {
  const { email } = await register(bench.anonymous)
  const begun = [
    ...(await Promise.all(Array.from({ length: 6 }, () => startGuest(bench.anonymous)))),
    ...(await Promise.all(Array.from({ length: 4 }, () => logIn(bench.anonymous, email)))),
  ]
  const next = await Promise.all(
    begun.map(({ tokens }) => refresh(bench.anonymous, tokens?.refreshToken)),
  )
  return next.map(({ tokens }) => tokens?.refreshToken ?? '')
}

async function refreshAll(tokens: readonly string[]): Promise<string[]> {
  const next = await Promise.all(tokens.map((token) => refresh(bench.anonymous, token)))
  return next.map(({ tokens: pair }) => pair?.refreshToken ?? '')
}

/** Reads from Redis that found a copy, as the server counts them. */
async function hits(): Promise<number> {
  const stats = await command('INFO stats')
  return Number(/keyspace_hits:(\d+)/.exec(stats)?.[1] ?? 0)
}

test('I15: Redis is used, and wiping it logs nobody out', async () => {
  const tokens = await liveSessions()
  const before = await hits()
  const next = await refreshAll(tokens)
  expect((await hits()) - before).toBeGreaterThan(0)
  await command('FLUSHALL')
  await refreshAll(next)
})

test('I15: garbage in Redis logs nobody out', async () => {
  const tokens = await liveSessions()
  const keys = await copies()
  expect(keys.length).toBeGreaterThan(0)
  for (const [index, key] of keys.entries()) {
    if (index % 4 === 0) await command(`SET ${key} garbage`)
    if (index % 4 === 1) await command(`HSET ${key} d short`)
    if (index % 4 === 2) await command(`HSET ${key} d 0123456789abcdef`)
    if (index % 4 === 3) await command(`HSET ${key} v x`)
  }
  await refreshAll(await refreshAll(tokens))
})

test('I15: Redis killed, stopped and frozen logs nobody out', async () => {
  let tokens = await liveSessions()
  await redis.stop()
  tokens = await refreshAll(tokens)
  tokens = await refreshAll(tokens)
  redis = await startOwn()
  await redisAnswers()
  tokens = await refreshAll(tokens)
  if (redis.pid !== undefined) process.kill(redis.pid, 'SIGSTOP')
  tokens = await refreshAll(tokens)
  tokens = await refreshAll(tokens)
  if (redis.pid !== undefined) process.kill(redis.pid, 'SIGCONT')
  expect(await refreshAll(tokens)).toHaveLength(10)
})

test('I16: an older dump of Redis brings no ended session back', async () => {
  const { email } = await register(bench.anonymous)
  const mine = await logIn(bench.anonymous, email)
  const guest = await startGuest(bench.anonymous)
  const next = await refresh(bench.anonymous, mine.tokens?.refreshToken)
  await eventually(async () => (await copies()).length > 0, { withinMs: 5_000 })
  const folderOfRedis = (await command('CONFIG GET dir')).split('\r\n')[4] ?? ''
  await command('SAVE')
  const dump = join(folderOfRedis, 'dump.rdb')
  copyFileSync(dump, join(folder.path, 'older.rdb'))

  const me = bench.as(next.tokens?.accessToken ?? '')
  await me.revokeAllSessions({ requestId: randomUUID(), accountId: '' }, scope())
  const refreshToken = guest.tokens?.refreshToken ?? ''
  await bench.anonymous.logOut({ requestId: 'out', refreshToken }, scope())

  await command('CONFIG SET save ""')
  await redis.stop()
  copyFileSync(join(folder.path, 'older.rdb'), dump)
  redis = await startOwn()
  await eventually(async () => (await copies()).length > 0, { withinMs: 10_000 })

  expect(await reasonOf(refresh(bench.anonymous, next.tokens?.refreshToken))).toBe('SESSION_ENDED')
  expect(await reasonOf(refresh(bench.anonymous, mine.tokens?.refreshToken))).toBe('SESSION_ENDED')
  expect(await reasonOf(refresh(bench.anonymous, refreshToken))).toBe('SESSION_ENDED')
  expect(await reasonOf(me.getSession({ sessionId: '' }, scope()))).toBe('SESSION_ENDED')
})

test('I15: a database that drops its connections again and again logs nobody out', async () => {
  const begun = await liveSessions()
  let isOver = false
  const dropping = eventually(
    async () => {
      await bench.database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'session'`,
      )
      return isOver
    },
    { withinMs: 60_000 },
  )
  const outcomes = new Map<string, number>()
  const step = async (token: string): Promise<string | false> => {
    const answer = refresh(bench.anonymous, token)
    const reason = await reasonOf(answer)
    outcomes.set(reason, (outcomes.get(reason) ?? 0) + 1)
    return reason === 'ok' && ((await answer).tokens?.refreshToken ?? '')
  }
  const walk = async (token: string): Promise<string> => {
    let newest = token
    for (let turn = 0; turn < 20; turn += 1) {
      // Whatever the answer was, the same token again is the way on.
      newest = await eventually(() => step(newest), { withinMs: 30_000 })
    }
    return newest
  }
  const newest = await Promise.all(begun.map(walk))
  isOver = true
  await dropping
  // A connection that was dropped last may be found broken only now: the same token again, too.
  const live = await Promise.all(
    newest.map((token) => eventually(() => step(token), { withinMs: 30_000 })),
  )
  expect(live).not.toContain('')
  const honest = ['DEPENDENCY_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'ok']
  expect([...outcomes.keys()].filter((reason) => !honest.includes(reason))).toEqual([])
  expect(outcomes.size).toBeGreaterThan(1)
})

test('I15: neither Redis nor NATS is needed to serve', async () => {
  const alone = await createSessionBench({
    settings: { REDIS_URL: undefined, NATS_URL: 'nats://127.0.0.1:1' },
  })
  const guest = await startGuest(alone.anonymous)
  const next = await refresh(alone.anonymous, guest.tokens?.refreshToken)
  expect(await reasonOf(refresh(alone.anonymous, next.tokens?.refreshToken))).toBe('ok')
  await alone[Symbol.asyncDispose]()
  expect(backing().natsUrl).toMatch(/^nats:/)
})
