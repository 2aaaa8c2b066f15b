import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { createPrimaryDb, sql } from '@holdfast/pg'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER, createLogger } from '@holdfast/telemetry'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  PASSWORD,
  type SessionBench,
  createSessionBench,
  logIn,
  newEmail,
  reasonOf,
  refresh,
  register,
  scope,
  startGuest,
} from './session-kit.ts'

const lines: string[] = []
let bench: SessionBench

beforeAll(async () => {
  const destination = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk))
      done()
    },
  })
  bench = await createSessionBench({
    log: createLogger({ service: 'session', level: 'debug', destination }),
  })
})
afterAll(() => bench[Symbol.asyncDispose]())

function guess(email: string): Promise<string> {
  return reasonOf(logIn(bench.anonymous, email, { password: `guess ${randomUUID()}` }))
}

async function failuresOf(count: number): Promise<void> {
  await bench.database.query('UPDATE attempt SET day_failures = $1, blocked_until = now()', [count])
}

describe('guessing passwords', () => {
  test('sent at once, a handful is tried and the rest waits', async () => {
    const { email } = await register(bench.anonymous)
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => guess(email)))
    const tried = outcomes.filter((reason) => reason === 'CREDENTIALS_REFUSED').length
    expect(tried).toBeGreaterThanOrEqual(5)
    expect(tried).toBeLessThanOrEqual(7)
    expect(outcomes.filter((reason) => reason === 'RATE_LIMITED')).toHaveLength(30 - tried)
  })

  test('waits double, and the right password does not help meanwhile', async () => {
    const { email } = await register(bench.anonymous)
    const waits: number[] = []
    for (let turn = 0; turn < 12; turn += 1) {
      await bench.database.query('UPDATE attempt SET blocked_until = now()')
      expect(await guess(email)).toBe('CREDENTIALS_REFUSED')
      const [row] = await bench.database.query<{ seconds: number }>(
        `SELECT round(extract(epoch FROM blocked_until - clock_timestamp()))::integer AS seconds
         FROM attempt ORDER BY day_started_at DESC LIMIT 1`,
      )
      waits.push(Math.max(row?.seconds ?? 0, 0))
    }
    for (const [turn, wanted] of [0, 0, 0, 0, 0, 1, 3, 7, 15, 31, 63, 127].entries()) {
      // A busy machine reads the wait a little after it began.
      expect(waits[turn]).toBeLessThanOrEqual(wanted)
      expect(waits[turn]).toBeGreaterThanOrEqual(Math.max(0, wanted - 3))
    }
    const error = await logIn(bench.anonymous, email).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ reason: 'RATE_LIMITED' })
    expect((error as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(90_000)
  })

  test('success begins anew at nothing', async () => {
    const { email } = await register(bench.anonymous)
    for (let turn = 0; turn < 4; turn += 1) expect(await guess(email)).toBe('CREDENTIALS_REFUSED')
    expect(await reasonOf(logIn(bench.anonymous, email))).toBe('ok')
    for (let turn = 0; turn < 4; turn += 1) expect(await guess(email)).toBe('CREDENTIALS_REFUSED')
    expect(await reasonOf(logIn(bench.anonymous, email))).toBe('ok')
  })

  test('a hundred in a day are the end of that day', async () => {
    const { email } = await register(bench.anonymous)
    await guess(email)
    await failuresOf(99)
    expect(await guess(email)).toBe('CREDENTIALS_REFUSED')
    await failuresOf(100)
    expect(await reasonOf(logIn(bench.anonymous, email))).toBe('RATE_LIMITED')
    await bench.database.query("UPDATE attempt SET day_started_at = now() - interval '25 hours'")
    expect(await reasonOf(logIn(bench.anonymous, email))).toBe('ok')
  })

  test('an unknown address is limited like a known one', async () => {
    const email = newEmail()
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => guess(email)))
    expect(outcomes).toContain('RATE_LIMITED')
    expect(new Set(outcomes)).toEqual(new Set(['CREDENTIALS_REFUSED', 'RATE_LIMITED']))
  })

  test('asking whether an address is registered is limited too', async () => {
    const { email } = await register(bench.anonymous)
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () => reasonOf(register(bench.anonymous, email))),
    )
    expect(new Set(outcomes)).toEqual(new Set(['ACCOUNT_EXISTS', 'RATE_LIMITED']))
  })

  test('I22: more log-ins than can be hashed are refused, not queued without bound', async () => {
    const emails = Array.from({ length: 60 }, () => newEmail())
    const outcomes = await Promise.all(emails.map((email) => guess(email)))
    expect(outcomes.filter((reason) => reason === 'OVERLOADED').length).toBeGreaterThan(10)
    expect(outcomes.filter((reason) => reason === 'CREDENTIALS_REFUSED').length).toBeGreaterThan(30)
  })
})

test('I23: no password and no token is in a log line or in the database', async () => {
  const { email } = await register(bench.anonymous)
  const guest = await startGuest(bench.anonymous)
  const guestRefreshToken = guest.tokens?.refreshToken ?? ''
  const done = await logIn(bench.anonymous, email, { guestRefreshToken })
  const next = await refresh(bench.anonymous, done.tokens?.refreshToken)
  const wrong = 'wrong canary password'
  await reasonOf(logIn(bench.anonymous, email, { password: wrong }))
  await reasonOf(refresh(bench.anonymous, `${guestRefreshToken.slice(0, -3)}abc`))
  await reasonOf(bench.as(`${next.tokens?.accessToken}x`).getSession({ sessionId: '' }, scope()))
  const [secret] = bench.config.REFRESH_SECRETS_FILE
  const canaries = [
    PASSWORD,
    wrong,
    ...[guest, done, next].flatMap(({ tokens }) => [
      tokens?.accessToken.split('.')[2] ?? 'none',
      tokens?.refreshToken.split('.')[2] ?? 'none',
    ]),
    Buffer.from(secret?.secret ?? new Uint8Array()).toString('base64'),
    bench.database.password,
  ]
  expect(lines.length).toBeGreaterThan(5)
  const tables = await bench.database.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  )
  const texts = [...lines]
  for (const { name } of tables) {
    const rows = await bench.database.query<{ row: string }>(
      `SELECT to_jsonb(t)::text AS row FROM ${name} t`,
    )
    texts.push(...rows.map(({ row }) => row))
  }
  for (const canary of canaries) {
    const hexed = Buffer.from(canary, 'latin1').toString('hex')
    expect(canary.length).toBeGreaterThan(8)
    expect(texts.filter((text) => text.includes(canary) || text.includes(hexed))).toEqual([])
  }
})

describe('roles of the database', () => {
  async function isRefused(role: 'app' | 'read' | 'purge', text: string): Promise<boolean> {
    const db = createPrimaryDb({
      url: bench.database.url(role),
      password: bench.database.password,
      applicationName: `test-${role}`,
      connectionsMax: 1,
      clock: systemClock,
      log: SILENT_LOGGER,
    })
    try {
      await db.write(sql(`test.${role}`, text))
      return false
    } catch (error) {
      if (/permission denied|must be owner/.test(String(error))) return true
      throw error
    } finally {
      await db[Symbol.asyncDispose]()
    }
  }

  test.each([
    ['app', 'DELETE FROM revocation'],
    ['app', 'UPDATE revocation SET session_id = NULL'],
    ['app', "UPDATE audit SET detail = 'x'"],
    ['app', 'DELETE FROM session'],
    ['app', 'DELETE FROM account'],
    ['app', "UPDATE session_transition SET actor = 'x'"],
    ['app', 'DELETE FROM guest_link'],
    ['app', 'DROP TABLE canary'],
    ['read', 'SELECT password_hash FROM account'],
    ['read', 'SELECT email FROM account'],
    ['read', 'SELECT salt FROM session'],
    ['read', 'SELECT purge_sessions(1)'],
    ['purge', 'SELECT account_id FROM account'],
    ['purge', 'DELETE FROM session'],
  ] as const)('I24: %s may not: %s', async (role, text) => {
    expect(await isRefused(role, text)).toBe(true)
  })

  test.each([
    ['read', 'SELECT session_id, state FROM session'],
    ['purge', 'SELECT purge_sessions(1)'],
    ['purge', 'SELECT purge_revocations(1)'],
  ] as const)('I24: %s may: %s', async (role, text) => {
    expect(await isRefused(role, text)).toBe(false)
  })
})
