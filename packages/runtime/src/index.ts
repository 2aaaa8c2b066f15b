/**
 * What every process needs before it is a service: settings, a start and an end, loops, readiness.
 *
 * Promise: a process starts whole or tells in sentences what is wrong; SIGTERM and SIGINT drain it
 * and end it with code 0, and a drain over 9 s is cut with code 1; a loop goes on after a failure,
 * later after each one in a row; readiness shows a loss and a return within 2 s.
 *
 * Traps. An unknown name under a service's own prefix stops the start. Secrets come as files, never
 * as values. A bug that escapes (an unhandled rejection, too) ends the process after a drain. A
 * drain closes in the reverse order of opening, so open first what others need to finish. The wait
 * of a loop begins after its turn, and a turn must heed its signal: disposing waits for it. Metrics
 * are kept from `startOperations` on.
 */
export * from './clock.ts'
export * from './dispose.ts'
export * from './env.ts'
export * from './lifecycle.ts'
export * from './loop.ts'
export * from './operations.ts'
export * from './readiness.ts'
export * from './settings.ts'
