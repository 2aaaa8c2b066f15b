import { randomUUID } from 'node:crypto'
import { uuidOf } from '@holdfast/kernel'
import { Audience } from '@holdfast/proto/session'
import { createKeyPurge, createPrimaryDb } from '@holdfast/pg'
import { systemClock } from '@holdfast/runtime'
import { type Logger, SILENT_LOGGER } from '@holdfast/telemetry'
import { createTestClock, eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startJobs } from '../src/jobs.ts'
import { createPasswords } from '../src/password.ts'
import { findPassword, makeFirstOperator } from '../src/store-account.ts'
import { checkCanary, expireSessions, purge } from '../src/store-jobs.ts'
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

let bench: SessionBench

beforeAll(async () => {
  bench = await createSessionBench()
})
afterAll(() => bench[Symbol.asyncDispose]())

function openDb() {
  return createPrimaryDb({
    url: bench.database.url('app'),
    password: bench.database.password,
    applicationName: 'jobs-test',
    connectionsMax: 4,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
}

function asOperator(email: string, password = PASSWORD) {
  const actAs = { audience: Audience.OPERATOR, sellerId: '' }
  return logIn(bench.anonymous, email, { password, actAs })
}

describe('the first operator', () => {
  test('is not made out of an account that someone else registered', async () => {
    const email = newEmail()
    await register(bench.anonymous, email)
    const db = openDb()
    const passwords = createPasswords()
    const made = async (password: string) => {
      const known = await findPassword(db, email)
      const isProven = await passwords.verify(password, known?.passwordHash)
      const account = {
        accountId: known?.accountId ?? ('' as never),
        email,
        emailFolded: email,
        displayName: '',
        passwordHash: await passwords.hash(password),
      }
      return makeFirstOperator(db, account, () => isProven)
    }
    expect(await made('another password entirely')).toBe('refused')
    expect(await reasonOf(asOperator(email))).toBe('ROLE_REQUIRED')
    await db[Symbol.asyncDispose]()
  })

  test('comes from a file, once, however many processes start', async () => {
    const first = { email: newEmail(), password: `first ${randomUUID()}` }
    await Promise.all([
      bench.startJobs({ FIRST_OPERATOR_FILE: first }),
      bench.startJobs({ FIRST_OPERATOR_FILE: first }),
    ])
    await eventually(() => asOperator(first.email, first.password), { withinMs: 10_000 })
    const second = { email: newEmail(), password: `second ${randomUUID()}` }
    await bench.startJobs({ FIRST_OPERATOR_FILE: second })
    const rows = await eventually(
      async () => {
        const found = await bench.database.query<{ kind: string }>(
          `SELECT kind FROM audit WHERE kind = 'OPERATOR_MADE'`,
        )
        return found.length > 0 && found
      },
      { withinMs: 10_000 },
    )
    expect(rows).toHaveLength(1)
    expect(await reasonOf(asOperator(second.email, second.password))).not.toBe('ok')
  })
})

describe('the sweep', () => {
  test('ends what reached its limit, and nothing else', async () => {
    const db = openDb()
    const expired = await startGuest(bench.anonymous)
    const alive = await startGuest(bench.anonymous)
    await bench.database.query(
      `UPDATE session SET expires_at = now() - interval '1 second' WHERE guest_id IS NOT NULL
         AND created_at = (
           SELECT created_at FROM session ORDER BY created_at DESC OFFSET 1 LIMIT 1)`,
    )
    let afterUuid: string | undefined
    let ended = 0
    for (let page = 0; page < 100; page += 1) {
      const swept = await expireSessions(db, { afterUuid, sizeMax: 3 })
      ended += swept.endedCount
      if (swept.next === undefined) break
      afterUuid = uuidOf(swept.next)
    }
    expect(ended).toBe(1)
    expect(await reasonOf(refresh(bench.anonymous, expired.tokens?.refreshToken))).toBe(
      'SESSION_ENDED',
    )
    expect(await reasonOf(refresh(bench.anonymous, alive.tokens?.refreshToken))).toBe('ok')
    await db[Symbol.asyncDispose]()
  })

  test('stops when the database clock jumps against ours', async () => {
    const db = openDb()
    const clock = createTestClock()
    const told: string[] = []
    const log: Logger = { ...SILENT_LOGGER, error: (message) => void told.push(message) }
    let sweeps = 0
    let times = 0
    const jobs = startJobs({
      db,
      store: {
        checkCanary,
        findPassword,
        makeFirstOperator,
        purge,
        // The first answer sets the pace, all later ones are a day ahead.
        readDatabaseTime: async () => {
          times += 1
          return new Date(clock.now().getTime() + (times > 1 ? 86_400_000 : 0))
        },
        expireSessions: async () => {
          sweeps += 1
          return { next: undefined, endedCount: 0 }
        },
      },
      keyPurge: createKeyPurge(db),
      cache: undefined,
      firstOperator: undefined,
      clock,
      log,
      onRevoked: () => undefined,
    })
    for (let turn = 1; turn < 6; turn += 1) {
      await eventually(() => times >= turn && clock.sleeperCount > 0, { withinMs: 5_000 })
      await clock.advance(10_000)
    }
    await jobs[Symbol.asyncDispose]()
    expect(times).toBeGreaterThan(3)
    expect(sweeps).toBe(1)
    expect(told.join()).toContain('clock jumped')
    await db[Symbol.asyncDispose]()
  })
})

test('the purge removes what is past its use, a turn at a time', async () => {
  const db = openDb()
  const guests = await Promise.all(Array.from({ length: 5 }, () => startGuest(bench.anonymous)))
  for (const { tokens } of guests) {
    const refreshToken = tokens?.refreshToken ?? ''
    await bench.anonymous.logOut({ requestId: 'out', refreshToken }, scope())
  }
  await bench.database.query("UPDATE revocation SET revoked_at = now() - interval '2 hours'")
  await bench.database.query(
    `UPDATE session SET ended_at = now() - interval '31 days' WHERE state = 'ENDED'`,
  )
  await bench.database.query("UPDATE attempt SET day_started_at = now() - interval '3 days'")
  const first = await purge(db, 3)
  expect(first).toMatchObject({ revocations: 3, sessions: 3 })
  for (let turn = 0; turn < 50; turn += 1) await purge(db, 100)
  const [left] = await bench.database.query<Record<string, string>>(
    `SELECT (SELECT count(*) FROM revocation) AS revocations,
       (SELECT count(*) FROM session WHERE state = 'ENDED') AS sessions,
       (SELECT count(*) FROM session_transition t
        WHERE NOT EXISTS (SELECT FROM session s WHERE s.session_id = t.session_id)) AS orphans,
       (SELECT count(*) FROM session) AS alive`,
  )
  expect(left).toMatchObject({ revocations: '0', sessions: '0', orphans: '0' })
  expect(Number(left?.['alive'])).toBeGreaterThan(0)
  await db[Symbol.asyncDispose]()
})

test('I25: the canary makes a whole round trip in Postgres', async () => {
  const db = openDb()
  expect(await checkCanary(db, { id: randomUUID(), value: randomUUID() })).toBe(true)
  const rows = await bench.database.query<{ count: string }>('SELECT count(*) FROM canary')
  expect(rows[0]?.count).toBe('0')
  await db[Symbol.asyncDispose]()
})
