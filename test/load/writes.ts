import type { ServiceName } from '@holdfast/rpc'
import type { Pool } from 'pg'
import { fly } from './flight.ts'
import type { House } from './house.ts'
import { letPass } from '../pace.ts'

/** What one purchase does to one table. */
export interface TableWrites {
  /** `checkout_purchase` */
  readonly name: string
  readonly inserts: number
  readonly updates: number
  /** Mean width of a row. */
  readonly rowBytes: number
}

/** Rows written so far, by `<service>_<table>`. */
type Totals = ReadonlyMap<string, Omit<TableWrites, 'name'>>

const SERVICES: readonly ServiceName[] = [
  'session',
  'cart',
  'inventory',
  'payment',
  'seller',
  'checkout',
]

/** An idle backend tells Postgres what it did after 10 s at the latest. */
const TOLD_AFTER_MS = 11_000

/** Bound on rows looked at for the mean width of a table's rows. */
const WIDTH_ROWS = 1_000

/**
 * Which rows one purchase writes in all services' databases, from Postgres's own statistics over
 * the `purchases` that `act` makes. Rounded, so that what loops write meanwhile does not count.
 */
export async function observeWrites(
  house: House,
  purchases: number,
  act: () => Promise<void>,
): Promise<readonly TableWrites[]> {
  const pools = SERVICES.map((service) => ({ service, pool: house.database(service, 1) }))
  await letPass(TOLD_AFTER_MS)
  const before = await readTotals(pools)
  await act()
  await letPass(TOLD_AFTER_MS)
  const after = await readTotals(pools)
  return [...after].flatMap(([name, total]) => {
    const each = (key: 'inserts' | 'updates'): number =>
      Math.round((total[key] - (before.get(name)?.[key] ?? 0)) / purchases)
    const writes = { name, inserts: each('inserts'), updates: each('updates') }
    return writes.inserts + writes.updates > 0 ? [{ ...writes, rowBytes: total.rowBytes }] : []
  })
}

async function readTotals(
  pools: readonly { readonly service: ServiceName; readonly pool: Pool }[],
): Promise<Totals> {
  const totals = new Map<string, Omit<TableWrites, 'name'>>()
  for (const { service, pool } of pools) {
    const { rows } = await pool.query<{ table: string; inserts: number; updates: number }>(
      `SELECT relname AS table, n_tup_ins::int AS inserts, n_tup_upd::int AS updates
       FROM pg_stat_user_tables WHERE schemaname = 'public' AND n_tup_ins + n_tup_upd > 0`,
    )
    for (const { table, inserts, updates } of rows) {
      const rowBytes = await readRowBytes(pool, table)
      // The partitions of one table are one table to whoever writes to it.
      const name = `${service}_${table.replace(/_\d+$/, '')}`
      const known = totals.get(name) ?? { inserts: 0, updates: 0, rowBytes }
      totals.set(name, {
        inserts: known.inserts + inserts,
        updates: known.updates + updates,
        rowBytes: Math.max(known.rowBytes, rowBytes),
      })
    }
  }
  return totals
}

async function readRowBytes(pool: Pool, table: string): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    `SELECT coalesce(avg(pg_column_size(one)), 0)::int AS bytes
     FROM (SELECT picked FROM "${table}" AS picked LIMIT ${WIDTH_ROWS}) AS one`,
  )
  return rows[0]?.bytes ?? 0
}

/** A table of its own for each written one, and the one transaction that writes to all of them. */
export interface Floor {
  /** Runs so many transactions, `inFlight` at a time, and answers how many per second. */
  run(count: number, inFlight: number): Promise<number>
}

/** Rows that a table has from the start, for updates of rows that were there before. */
const SEEDED_ROWS = 1_000

/**
 * Prepares the floor of a purchase: the same rows, as wide, in one database, one index each, sent
 * as one message. Nobody can do the purchase's writes in a cheaper transaction.
 */
export async function openFloor(
  house: House,
  writes: readonly TableWrites[],
  connectionsMax: number,
): Promise<Floor> {
  const pool = house.database('checkout', connectionsMax)
  await pool.query('CREATE SCHEMA bench')
  for (const { name, rowBytes } of writes) {
    await pool.query(
      `CREATE TABLE bench.${name} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
         version bigint NOT NULL, body bytea NOT NULL) WITH (fillfactor = 70);
       INSERT INTO bench.${name} (version, body)
         SELECT 1, ${bodyOf(rowBytes)} FROM generate_series(1, ${SEEDED_ROWS})`,
    )
  }
  const transaction = ['BEGIN', ...writes.flatMap(statementsFor), 'COMMIT'].join(';\n')
  return {
    run: async (count, inFlight) => {
      const jobs = Array.from({ length: count })
      const flight = await fly(jobs, inFlight, async () => pool.query(transaction))
      return flight.perSecond
    },
  }
}

function statementsFor({ name, inserts, updates, rowBytes }: TableWrites): readonly string[] {
  const insert =
    `INSERT INTO bench.${name} (version, body) ` +
    `SELECT 1, ${bodyOf(rowBytes)} FROM generate_series(1, ${inserts})`
  const mine =
    inserts > 0
      ? `currval('bench.${name}_id_seq')`
      : `(SELECT 1 + floor(random() * ${SEEDED_ROWS})::bigint)`
  const update = `UPDATE bench.${name} SET version = version + 1 WHERE id = ${mine}`
  return [...(inserts > 0 ? [insert] : []), ...Array.from({ length: updates }, () => update)]
}

/** Row header, id and version take 40 bytes of a row; the rest is the body. */
const FIXED_ROW_BYTES = 40

function bodyOf(rowBytes: number): string {
  const hexDigits = 2 * Math.max(0, Math.round(rowBytes) - FIXED_ROW_BYTES)
  return `decode(repeat('6', ${hexDigits}), 'hex')`
}
