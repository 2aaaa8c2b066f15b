/**
 * The words everything else is written in: ids, money, failures, state graphs, a clock as a
 * dependency. It knows no platform, no library and no other package, so workflows can use it too.
 *
 * Promise: money is whole minor units, and a split sums to its total; an id carries its kind and is
 * refused where another kind belongs; what may be told to a caller is one of ten failures, and each
 * says whether repeating helps; nothing here waits, reads or writes.
 *
 * Traps. `details` and `message` of a failure go to the caller, `cause` to the log alone. `assert`
 * is for bugs and becomes INTERNAL: a caller's mistake is InvalidInput. An id is made by the
 * runtime's `newId`; `parseId` is for what comes from outside, `idFromUuid` for what comes from a
 * table. OutcomeUnknown is no failure to undo: look up what happened. `clock.now` decides nothing
 * about state: versions and the database's clock do.
 */
export * from './assert.ts'
export * from './clock.ts'
export * from './crash-point.ts'
export * from './error-reason.ts'
export * from './errors.ts'
export * from './graph.ts'
export * from './ids.ts'
export * from './money.ts'
export * from './outcome.ts'
