/**
 * What tests of several packages share: a database of their own, callers, a clock, a marketplace.
 *
 * Promise: each call of `createTestDatabase` gives a fresh, migrated database that nobody else
 * sees; `eventually` tells what it saw last when it gives up; a marketplace ends with the process
 * that started it, however that ended.
 *
 * Traps. The servers are one set per run, made by `backing-setup.ts`: Redis, NATS and Temporal are
 * shared by all files of a suite, so names and keys must be a test's own; `backing()` fails where a
 * suite starts none. The test clock stands still until it is moved, and what awaits a sleep gets
 * some turns only after it woke. Tokens of `createTestCallers` prove nothing to a real service.
 * Dispose a database, or it stays until the server ends.
 */
export * from './backing-context.ts'
export * from './callers.ts'
export * from './clock.ts'
export * from './database.ts'
export * from './eventually.ts'
export * from './keys.ts'
export * from './marketplace-process.ts'
export * from './nats.ts'
