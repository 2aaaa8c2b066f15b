import { randomBytes } from 'node:crypto'
import { SERVICE_NAMES, type ServiceName } from '@holdfast/rpc'
import { eventually } from '@holdfast/testkit'
import type { Pool } from 'pg'
import { expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

const marketplace = openMarketplace()

const PURGED = 'holdfast_request_keys_purged_total'

const isSome = (count: number) => count > 0

/** Plants the answer to a request, 3 days after it was given and `lifeMs` before its end. */
async function plantKey(database: Pool, lifeMs: number): Promise<Buffer> {
  const key = randomBytes(32)
  await database.query(
    `INSERT INTO request_key (key, method, request_hash, answer, created_at, expires_at)
     VALUES ($1, '/test/Planted', $1, '', now() - interval '3 days', now() + $2::interval)`,
    [key, `${lifeMs} milliseconds`],
  )
  return key
}

async function isThere(database: Pool, key: Buffer): Promise<boolean> {
  const { rowCount } = await database.query('SELECT FROM request_key WHERE key = $1', [key])
  return rowCount === 1
}

async function proveLife(service: ServiceName): Promise<void> {
  const jobs = `${service}-jobs`
  const database = marketplace.openDatabase(service)
  try {
    // A process that starts purges at once, so that nothing waits for the minute between turns;
    // those before it are frozen, so that it is not they that purge.
    marketplace.signal(jobs, 'SIGSTOP')
    const over = await plantKey(database, -1)
    const fresh = await plantKey(database, 3_600_000)
    await marketplace.killAllAndAwaitReturn(jobs)
    await eventually(
      async () => {
        expect(await isThere(database, over)).toBe(false)
        expect((await marketplace.metricByCopy(jobs, PURGED)).some(isSome)).toBe(true)
      },
      { withinMs: 60_000 },
    )
    expect(await isThere(database, fresh)).toBe(true)
  } finally {
    await database.end()
  }
}

test.each(SERVICE_NAMES)('I6: %s forgets an answer after its life, and no earlier', proveLife)
