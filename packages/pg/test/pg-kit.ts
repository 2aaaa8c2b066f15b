import { Client } from 'pg'
import {
  type DatabaseRole,
  type PrimaryDb,
  type Statement,
  PG_MIGRATIONS,
  createPrimaryDb,
  sql,
} from '../src/index.ts'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { type TestDatabase, createTestDatabase } from '@holdfast/testkit'

/** Everything a test of this package needs of a table: counters by name. */
const SCHEMA = `
  CREATE TABLE counter (name text PRIMARY KEY, value int NOT NULL DEFAULT 0);
  GRANT SELECT, INSERT, UPDATE, DELETE ON counter TO holdfast_pg_app;
  CREATE TABLE slow_commit (name text PRIMARY KEY);
  GRANT SELECT, INSERT ON slow_commit TO holdfast_pg_app;
  CREATE FUNCTION sleep_at_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;
  CREATE CONSTRAINT TRIGGER sleep_at_commit AFTER INSERT ON slow_commit
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sleep_at_commit();
  CREATE TABLE late_check (name text PRIMARY KEY, good boolean NOT NULL);
  GRANT SELECT, INSERT ON late_check TO holdfast_pg_app;
  CREATE FUNCTION check_at_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'not good' USING ERRCODE = '23514', CONSTRAINT = 'late_good'; END $$;
  CREATE CONSTRAINT TRIGGER check_at_commit AFTER INSERT ON late_check
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NOT NEW.good)
    EXECUTE FUNCTION check_at_commit();
  CREATE FUNCTION fail_with(code text) RETURNS void LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = code; END $$;
  GRANT EXECUTE ON FUNCTION fail_with, sleep_at_commit, check_at_commit TO holdfast_pg_app`

/** A database with the tables above; one per test file. */
export async function createPgDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase({ service: 'pg', migrationFolders: [PG_MIGRATIONS] })
  await database.query(SCHEMA)
  return database
}

/** A pool on it as the app role, known to the server under `name`. */
export function openDb(
  database: TestDatabase,
  name: string,
  limits: { readonly connectionsMax?: number; readonly statementTimeoutMs?: number } = {},
): PrimaryDb {
  return createPrimaryDb({
    url: database.url('app'),
    password: database.password,
    applicationName: name,
    connectionsMax: limits.connectionsMax ?? 4,
    clock: systemClock,
    log: SILENT_LOGGER,
    ...(limits.statementTimeoutMs === undefined
      ? {}
      : { statementTimeoutMs: limits.statementTimeoutMs }),
  })
}

export const add: Statement<{ value: number }> = sql(
  'test.counter.add',
  `INSERT INTO counter (name, value) VALUES ($1, 1)
   ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value`,
)

export const lockCounter = sql(
  'test.counter.lock',
  'SELECT value FROM counter WHERE name = $1 FOR UPDATE',
)

export const pause = sql('test.pause', 'SELECT pg_sleep($1)')

export const failWith = sql('test.fail_with', 'SELECT fail_with($1)')

export const backendId = sql<{ pid: number }>('test.backend_id', 'SELECT pg_backend_pid() AS pid')

/** The counter as it is in the database, 0 when there is none. */
export async function valueOf(database: TestDatabase, name: string): Promise<number> {
  const rows = await database.query<{ value: number }>(
    'SELECT value FROM counter WHERE name = $1',
    [name],
  )
  return rows[0]?.value ?? 0
}

/** Ends the one connection of `name` that is in `state`; false while there is none yet. */
export async function killBackend(
  database: TestDatabase,
  name: string,
  state: { readonly query: string },
): Promise<boolean> {
  const rows = await database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = $1 AND query LIKE $2 AND pid <> pg_backend_pid()`,
    [name, state.query],
  )
  return rows.length > 0
}

/** What the promise failed with. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => `no failure: ${String(value)}`,
    (error: unknown) => error,
  )
}

/** A connection of its own, without any limit of time. */
export async function openClient(database: TestDatabase, role: DatabaseRole): Promise<Client> {
  const url = new URL(database.url(role))
  url.password = database.password
  const client = new Client({ connectionString: url.href })
  await client.connect()
  return client
}
