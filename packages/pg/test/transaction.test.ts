import { Conflict, IllegalState, OutcomeUnknown, Unavailable } from '@holdfast/kernel'
import { type TestDatabase, eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  RunAgain,
  type Tx,
  checkPrimary,
  sql,
  sqlStateOf,
  violatedConstraint,
} from '../src/index.ts'
import {
  add,
  backendId,
  createPgDatabase,
  failWith,
  failureOf,
  killBackend,
  lockCounter,
  openClient,
  openDb,
  pause,
  valueOf,
} from './pg-kit.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createPgDatabase()
})

afterAll(async () => database[Symbol.asyncDispose]())

describe.concurrent('what counts as committed', () => {
  test('I7: COMMIT that answers ROLLBACK is a failure, not a success', async () => {
    await using db = openDb(database, 'commit-rollback', { connectionsMax: 1 })
    const failure = await failureOf(
      db.transaction(async (tx) => {
        await tx.query(add, ['swallowed'])
        await tx.query(failWith, ['22000']).catch(() => undefined)
        return 'done'
      }),
    )
    expect(String(failure)).toContain('ROLLBACK')
    expect(await valueOf(database, 'swallowed')).toBe(0)
    expect((await db.write(add, ['after swallowed'])).rows).toEqual([{ value: 1 }])
  })

  test('a constraint that is broken at COMMIT is a refusal, and the connection stays', async () => {
    await using db = openDb(database, 'commit-refused', { connectionsMax: 1 })
    const before = (await db.read(backendId)).rows
    const insert = sql('test.late_check', 'INSERT INTO late_check VALUES ($1, $2)')
    const failure = await failureOf(db.transaction((tx) => tx.query(insert, ['bad', false])))
    expect(violatedConstraint(failure)).toBe('late_good')
    expect((await db.read(backendId)).rows).toEqual(before)
  })

  test('I8: a server lost before COMMIT leaves nothing, and says so', async () => {
    await using db = openDb(database, 'lost-before', { connectionsMax: 1 })
    const work = failureOf(
      db.transaction(async (tx) => {
        await tx.query(add, ['lost before'])
        await tx.query(pause, [20])
      }),
    )
    await eventually(() => killBackend(database, 'lost-before', { query: '%pg_sleep%' }), {
      withinMs: 10_000,
    })
    expect(await work).toBeInstanceOf(Unavailable)
    expect(await valueOf(database, 'lost before')).toBe(0)
    expect((await db.write(add, ['after lost before'])).rowCount).toBe(1)
  })

  test('I27: a server lost during COMMIT leaves the outcome unknown, never denied', async () => {
    await using db = openDb(database, 'lost-in-commit', { connectionsMax: 1 })
    const insert = sql('test.slow_commit', 'INSERT INTO slow_commit VALUES ($1)')
    const work = failureOf(db.transaction((tx) => tx.query(insert, ['x'])))
    await eventually(() => killBackend(database, 'lost-in-commit', { query: 'COMMIT' }), {
      withinMs: 10_000,
    })
    expect(await work).toBeInstanceOf(OutcomeUnknown)
    expect((await db.write(add, ['after commit'])).rowCount).toBe(1)
  })

  test('a lost single write is unknown, a lost read is only unavailable', async () => {
    await using db = openDb(database, 'lost-single', { connectionsMax: 2 })
    const slowWrite = sql('test.slow_write', `INSERT INTO counter SELECT $1, 1 FROM pg_sleep(20)`)
    const [write, read] = [
      failureOf(db.write(slowWrite, ['slow'])),
      failureOf(db.read(pause, [20])),
    ]
    for (const query of ['INSERT INTO counter%pg_sleep%', 'SELECT pg_sleep%']) {
      await eventually(() => killBackend(database, 'lost-single', { query }), { withinMs: 10_000 })
    }
    expect(await write).toBeInstanceOf(OutcomeUnknown)
    expect(await read).toBeInstanceOf(Unavailable)
  })

  test('a connection that dies between statements harms neither process nor others', async () => {
    await using db = openDb(database, 'dies-idle', { connectionsMax: 2 })
    const death = Promise.withResolvers<void>()
    const work = failureOf(
      db.transaction(async (tx) => {
        await tx.query(add, ['dies idle'])
        await death.promise
        await tx.query(add, ['dies idle'])
      }),
    )
    await eventually(() => killBackend(database, 'dies-idle', { query: '%counter%' }), {
      withinMs: 10_000,
    })
    expect((await db.write(add, ['dies idle, another'])).rows).toEqual([{ value: 1 }])
    death.resolve()
    expect(await work).toBeInstanceOf(Unavailable)
    expect(await valueOf(database, 'dies idle')).toBe(0)
  })

  test('idle connections that die are replaced without a failure', async () => {
    await using db = openDb(database, 'dies-in-pool', { connectionsMax: 1 })
    const before = (await db.read(backendId)).rows[0]?.pid
    await eventually(() => killBackend(database, 'dies-in-pool', { query: '%pid%' }), {
      withinMs: 10_000,
    })
    await eventually(async () => (await db.read(backendId)).rows[0]?.pid !== before, {
      withinMs: 10_000,
    })
  })
})

describe.concurrent('what runs again', () => {
  test.each(['40001', '40P01', '55P03'])(
    'after %s the whole work runs again and counts once',
    async (code) => {
      await using db = openDb(database, `again-${code}`)
      let runs = 0
      await db.transaction(async (tx) => {
        runs += 1
        await tx.query(add, [`again ${code}`])
        if (runs === 1) await tx.query(failWith, [code])
      })
      expect({ runs, value: await valueOf(database, `again ${code}`) }).toEqual({
        runs: 2,
        value: 1,
      })
    },
  )

  test('work may ask to run again, and after three runs the caller is told to', async () => {
    await using db = openDb(database, 'run-again')
    let runs = 0
    const failure = await failureOf(
      db.transaction(async (tx) => {
        runs += 1
        await tx.query(add, ['run again'])
        throw new RunAgain('always')
      }),
    )
    expect(failure).toBeInstanceOf(Conflict)
    expect(failure).toMatchObject({ reason: 'KEY_IN_PROGRESS' })
    expect({ runs, value: await valueOf(database, 'run again') }).toEqual({ runs: 3, value: 0 })
  })

  test('a refusal rolls back, is thrown on as it is and never runs again', async () => {
    await using db = openDb(database, 'refusal')
    let runs = 0
    const refusal = new IllegalState('OUT_OF_STOCK', 'None left.')
    const failure = await failureOf(
      db.transaction(async (tx) => {
        runs += 1
        await tx.query(add, ['refusal'])
        throw refusal
      }),
    )
    expect(failure).toBe(refusal)
    expect({ runs, value: await valueOf(database, 'refusal') }).toEqual({ runs: 1, value: 0 })
  })

  test('a violated constraint runs again only when it is named', async () => {
    await using db = openDb(database, 'again-on')
    await db.write(add, ['taken'])
    const insert = sql('test.counter.insert', 'INSERT INTO counter VALUES ($1, 1)')
    let runs = 0
    const work = async (tx: Tx): Promise<void> => {
      runs += 1
      if (runs === 1) await tx.query(insert, ['taken'])
    }
    await db.transaction(work, { againOn: ['counter_pkey'] })
    expect(runs).toBe(2)
    runs = 0
    expect(violatedConstraint(await failureOf(db.transaction(work)))).toBe('counter_pkey')
  })

  test('I4: a real deadlock ends with both works done once', async () => {
    await using db = openDb(database, 'deadlock')
    await Promise.all(['left', 'right'].map((name) => db.write(add, [name])))
    const met = Promise.withResolvers<void>()
    let arrived = 0
    const lockBoth = (first: string, second: string) =>
      db.transaction(async (tx) => {
        await tx.query(lockCounter, [first])
        arrived += 1
        if (arrived >= 2) met.resolve()
        await met.promise
        await tx.query(lockCounter, [second])
        await tx.query(add, ['deadlock'])
      })
    await Promise.all([lockBoth('left', 'right'), lockBoth('right', 'left')])
    expect(arrived).toBeGreaterThan(2)
    expect(await valueOf(database, 'deadlock')).toBe(2)
  })

  test('a lock that is never had ends in Conflict, and frees the connection', async () => {
    await using db = openDb(database, 'lock-waiter', { connectionsMax: 1 })
    await db.write(add, ['locked'])
    const holder = await openClient(database, 'app')
    await holder.query('BEGIN')
    await holder.query("SELECT value FROM counter WHERE name = 'locked' FOR UPDATE")
    const failure = await failureOf(db.transaction((tx) => tx.query(lockCounter, ['locked'])))
    await holder.end()
    expect(failure).toBeInstanceOf(Conflict)
    expect((failure as Conflict).retryAfterMs).toBeGreaterThan(0)
    expect((await db.write(add, ['locked'])).rows).toEqual([{ value: 2 }])
  })
})

describe.concurrent('limits of time', () => {
  test('a statement over its time fails as unavailable and keeps its connection', async () => {
    await using db = openDb(database, 'slow', { connectionsMax: 1, statementTimeoutMs: 300 })
    const before = (await db.read(backendId)).rows
    expect(await failureOf(db.read(pause, [20]))).toBeInstanceOf(Unavailable)
    expect((await db.read(backendId)).rows).toEqual(before)
    const failure = await failureOf(
      db.transaction(async (tx) => {
        await tx.query(add, ['slow'])
        await tx.query(pause, [20])
      }),
    )
    expect(failure).toBeInstanceOf(Unavailable)
    expect((await db.read(backendId)).rows).toEqual(before)
    expect(await valueOf(database, 'slow')).toBe(0)
  })

  test('a server that stays silent costs its connection, not the next caller', async () => {
    await using db = openDb(database, 'silent', { connectionsMax: 1, statementTimeoutMs: 200 })
    const noLimit = sql('test.no_limit', `SELECT set_config('statement_timeout', '0', false)`)
    const work = {
      transaction: () => db.transaction((tx) => tx.query(pause, [20])),
      read: () => db.read(pause, [20]),
    }
    for (const run of [work.transaction, work.read]) {
      const before = (await db.read(backendId)).rows[0]?.pid
      await db.read(noLimit)
      expect(await failureOf(run())).toBeInstanceOf(Unavailable)
      expect((await db.read(backendId)).rows[0]?.pid).not.toBe(before)
    }
    await db.read(noLimit)
    expect(await failureOf(db.write(pause, [20]))).toBeInstanceOf(OutcomeUnknown)
  })

  test('a transaction that idles loses its locks, and its caller is told truthfully', async () => {
    await using db = openDb(database, 'idler', { connectionsMax: 1 })
    const failure = await failureOf(
      db.transaction(async (tx) => {
        await tx.query(add, ['idler'])
        await eventually(
          async () => {
            const left = await database.query(
              `SELECT 1 FROM pg_stat_activity WHERE application_name = 'idler'`,
            )
            return left.length === 0
          },
          { withinMs: 20_000 },
        )
        await tx.query(add, ['idler'])
      }),
    )
    expect(failure).toBeInstanceOf(Unavailable)
    expect(await valueOf(database, 'idler')).toBe(0)
    expect((await db.write(add, ['after idler'])).rowCount).toBe(1)
  })

  test('a transaction over its time is ended by the server and reported as not done', async () => {
    await using db = openDb(database, 'long', { connectionsMax: 1 })
    const failure = await failureOf(
      db.transaction(async (tx) => {
        await tx.query(add, ['long'])
        for (;;) await tx.query(pause, [1])
      }),
    )
    expect(failure).toBeInstanceOf(Unavailable)
    expect(await valueOf(database, 'long')).toBe(0)
    expect((await db.write(add, ['after long'])).rowCount).toBe(1)
  })
})

describe.concurrent('connections', () => {
  test('a statement that comes after its transaction never joins a stranger', async () => {
    await using db = openDb(database, 'late-statement', { connectionsMax: 1 })
    const leaked = await db.transaction(async (tx) => tx)
    expect(String(await failureOf(leaked.query(add, ['late'])))).toContain('had ended')
    expect(await valueOf(database, 'late')).toBe(0)
  })

  test('a server that is not there is unavailable at once', async () => {
    await using db = openDb(
      { ...database, url: () => 'postgres://nobody@127.0.0.1:1/none' },
      'none',
    )
    expect(await failureOf(db.write(add, ['x']))).toBeInstanceOf(Unavailable)
    expect(await failureOf(db.transaction((tx) => tx.query(add, ['x'])))).toBeInstanceOf(
      Unavailable,
    )
    await expect(checkPrimary(db)).rejects.toBeInstanceOf(Unavailable)
  })

  test('I25: a database busy with answers is ready, one without answers is not', async () => {
    await using db = openDb(database, 'saturated', { connectionsMax: 1 })
    const release = Promise.withResolvers<void>()
    const taken = Promise.withResolvers<void>()
    const work = db.transaction(async (tx) => {
      await tx.query(backendId)
      const whileBusy = checkPrimary(db)
      taken.resolve()
      await release.promise
      return whileBusy
    })
    await taken.promise
    await eventually(() => !db.isSaturated(), { withinMs: 5_000 })
    const whenSilent = await failureOf(checkPrimary(db))
    release.resolve()
    expect(whenSilent).toBeInstanceOf(Unavailable)
    await expect(work).resolves.toBeUndefined()
  })

  test('int8 is bigint, timestamptz is Date, bytea is Buffer, in arrays too', async () => {
    await using db = openDb(database, 'types')
    const echo = sql<Record<string, unknown>>(
      'test.types',
      `SELECT $1::bigint AS big, $2::timestamptz AS at, $3::bytea AS bytes, $4::bytea[] AS list,
         $5::int[] AS numbers, $6::bigint[] AS bigs, $7::uuid AS id`,
    )
    const id = '01890000-0000-7000-8000-000000000001'
    const at = new Date('2026-03-01T12:00:00.123Z')
    const bytes = new Uint8Array([0, 255])
    const { rows } = await db.read(echo, [
      2n ** 63n - 1n,
      at,
      bytes,
      [bytes, bytes],
      [1, 2],
      [1n, 2n ** 62n],
      id,
    ])
    expect(rows[0]).toEqual({
      big: 2n ** 63n - 1n,
      at,
      bytes: Buffer.from(bytes),
      list: [Buffer.from(bytes), Buffer.from(bytes)],
      numbers: [1, 2],
      bigs: [1n, 2n ** 62n],
      id,
    })
  })

  test('an unknown statement is a bug with its code, not an outage', async () => {
    await using db = openDb(database, 'bug')
    expect(sqlStateOf(await failureOf(db.read(sql('test.bug', 'SELECT nothing'))))).toBe('42703')
  })
})
