import { type Id, type IdKind, ID_PREFIXES, isId, uuidOf } from '@holdfast/kernel'

/** A database that can be looked into and, by its superuser, changed. */
export interface Rows {
  query<R extends object>(text: string): Promise<readonly R[]>
}

/** One row that was written, changed or taken away by a transaction that committed. */
export interface Change {
  readonly table: string
  /** Whose it was: `payment` serves calls, `payment-jobs` and `checkout-worker` do not. */
  readonly by: string
  /** Whether the row was not there before; else it was changed or taken away. */
  readonly isNew: boolean
  /** UUIDs of everything that the row names, before and after. */
  readonly names: ReadonlySet<string>
}

/** Sees every change of a database, also one that is taken back or passed on at once. */
export interface Witness {
  /** What changed since this was asked last; each change is told once. */
  changes(): Promise<readonly Change[]>
}

/**
 * Tables of which only new rows count: what is told leaves the outbox when the relay has published
 * it, which is no effect of a call.
 */
const APPENDED_TABLES: ReadonlySet<string> = new Set(['outbox_message'])

/**
 * Tables that move whatever is asked: those of the services' own loops, and the count of tries that
 * slows guessers down, which a refused try must change too.
 */
const MOVING_TABLES =
  /^(schema_migration|outbox_(feed|fact_log)|.*_lease|.*canary|stock_(view|feed)|attempt)$/

/** Whose turn it is and when somebody looks again: no effect of what was asked. */
const TURN_COLUMNS = ['next_look_at', 'look_count', 'lease_until', 'fence']

/** A table of its own and a trigger that writes into it, out of the services' sight. */
const WITNESS = `
  DROP SCHEMA IF EXISTS witness CASCADE;
  CREATE SCHEMA witness;
  CREATE TABLE witness.change (
    change_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    application text NOT NULL,
    was jsonb,
    is_now jsonb
  );
  CREATE FUNCTION witness.note() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = pg_catalog AS $$
  DECLARE
    turns text[] := '{${TURN_COLUMNS.join(',')}}';
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - turns END;
    is_now jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - turns END;
  BEGIN
    IF was IS DISTINCT FROM is_now THEN
      INSERT INTO witness.change (table_name, application, was, is_now)
      VALUES (TG_ARGV[0], current_setting('application_name'), was, is_now);
    END IF;
    RETURN NULL;
  END $$;`

/** Begins to watch a database as its superuser. It is watched anew when it was before. */
export async function watchDatabase(database: Rows): Promise<Witness> {
  await database.query(WITNESS)
  // Parts of a table are watched with the whole.
  const tables = await database.query<{ readonly name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`,
  )
  const watched = tables.map(({ name }) => name).filter((name) => !MOVING_TABLES.test(name))
  await database.query(watched.map(triggerOn).join('\n'))
  return { changes: async () => changesOf(await database.query<NotedRow>(TAKE)) }
}

function triggerOn(table: string): string {
  const events = APPENDED_TABLES.has(table) ? 'INSERT' : 'INSERT OR UPDATE OR DELETE'
  return `CREATE OR REPLACE TRIGGER zz_witness AFTER ${events} ON "${table}"
    FOR EACH ROW EXECUTE FUNCTION witness.note('${table}');`
}

/** Taken away as it is read, so that one that commits late is told by the next look. */
const TAKE = `DELETE FROM witness.change
  RETURNING table_name, xid::text AS xid, application, was::text AS was, is_now::text AS is_now,
    coalesce(table_name = 'order_transition' AND is_now->>'actor' = 'workflow', false) AS is_run`

interface NotedRow {
  readonly table_name: string
  readonly xid: string
  readonly application: string
  readonly was: string | null
  readonly is_now: string | null
  readonly is_run: boolean
}

/**
 * Checkout serves calls in the process whose worker runs the orders. They are told apart by the
 * history that is written with each move of an order: all of such a transaction is the worker's.
 */
function changesOf(rows: readonly NotedRow[]): Change[] {
  const runs = new Set(rows.filter((row) => row.is_run).map((row) => row.xid))
  return rows.map(({ table_name: table, xid, application, was, is_now }) => ({
    table,
    by: runs.has(xid) ? `${application}-worker` : application,
    isNew: was === null,
    names: uuidsIn([was, is_now].join(' ')),
  }))
}

const UUIDS = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g
const KINDS = Object.keys(ID_PREFIXES) as IdKind[]
const WORDS = /\w+/g

/** Every UUID of a text, as itself or in the wire form of an id. */
export function uuidsIn(text: string): Set<string> {
  const ids = Array.from(text.matchAll(WORDS), ([word]) => word).filter(
    (word): word is Id<IdKind> => KINDS.some((kind) => isId(kind, word)),
  )
  return new Set([...Array.from(text.matchAll(UUIDS), ([uuid]) => uuid), ...ids.map(uuidOf)])
}

/** Everything that a request names, and whom its access token speaks for. */
export function namedBy(request: unknown, bearer: string | undefined): Set<string> {
  const claims = Buffer.from(bearer?.split('.')[1] ?? '', 'base64url').toString('utf8')
  return uuidsIn(`${textOf(request)} ${claims}`)
}

function textOf(request: unknown): string {
  return JSON.stringify(request, (_key, value: unknown) =>
    typeof value === 'bigint' ? value.toString() : value,
  )
}

/** Whether a process that serves no calls made the change. */
const BESIDE_CALLS = /-(jobs|worker)$/

/**
 * Tables whose rows are orders to a loop, which it works off, at once or after a while, when
 * another service or Temporal lets it. That an order was given counts against who gave it.
 */
const ORDER_TABLES: ReadonlySet<string> = new Set(['membership_grant', 'onboarding_signal'])

/**
 * Changes that a call may have made. Not so, of what processes do that serve no calls: work on rows
 * that name nothing which the call names, for such a row is somebody else's, as a hold that lapses
 * or a fact of another purchase; and an order worked off that had been given before. Whatever a
 * serving process changes counts. How often a change is seen decides nothing.
 */
export function effectsOf(
  changes: readonly Change[],
  named: ReadonlySet<string>,
): readonly Change[] {
  return changes.filter(({ table, by, isNew, names }) => {
    if (!BESIDE_CALLS.test(by)) return true
    const isWorkedOff = ORDER_TABLES.has(table) && !isNew
    return !isWorkedOff && !names.isDisjointFrom(named)
  })
}

/** The tables that were changed, each once. */
export function tablesOf(changes: readonly Change[]): string[] {
  return Array.from(new Set(changes.map(({ table }) => table)))
}
