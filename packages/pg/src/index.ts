/**
 * Postgres for one service: connections, transactions, request keys, migrations and roles.
 *
 * Promise: a failure says what is known of the work. Unavailable: nothing was done; OutcomeUnknown:
 * the answer was lost, and the same request_id finds out. A transaction that lost to another is run
 * again as a whole, at most three times; an effect and the answer to its request_id commit
 * together; no wait for a lock, statement or transaction is without an end; a program does not run
 * on a schema it does not know.
 *
 * Traps. The work of a transaction may run three times, so it touches nothing but its `tx`: no
 * call, no message, no counter. `read` is for statements that change nothing: a lost answer counts
 * as "not done" there. The name of a statement is its prepared name: one text per name. An int8
 * comes as bigint, in arrays too. After a failed statement a transaction is over, also when its
 * error is caught: COMMIT would answer ROLLBACK, which is refused. A merged migration is never
 * changed: its hash is compared. Migrations run as the owner, by the deploy step alone.
 */
export * from './db.ts'
export * from './migrate.ts'
export type { PoolOptions } from './pool.ts'
export * from './purge-keys.ts'
export * from './readiness.ts'
export * from './request-key.ts'
export * from './run-again.ts'
export * from './schema-check.ts'
export * from './service-database.ts'
export * from './sqlstate.ts'
export * from './statement.ts'
