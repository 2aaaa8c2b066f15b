/**
 * Workers and clients of Temporal: starts, signals, updates, activities, replays.
 *
 * Promise: a process starts and takes orders while Temporal is away, and joins it when it returns;
 * a workflow runs once per id, whoever starts it; a guarded activity's failure enters the history
 * as a name of a closed list, never as text (I23); a draining worker lets running work end for 5 s
 * and is cut after 7 s.
 *
 * Traps. `unknown` of a start or an update is no refusal: it may still happen. A signal may come
 * twice or never: it is a hint to look again. A worker gets its activities through
 * `guardActivities` alone; an ApplicationFailure passes it as it is. A local activity has no
 * heartbeat. Worker and client share one connection, or no first task comes back at once.
 * `installTemporalRuntime` keeps the first logger it is given. A worker that ended by itself cannot
 * be mended: `onFatal` must end the process.
 */
export * from './activities.ts'
export * from './bundle.ts'
export * from './calls.ts'
export * from './connection.ts'
export * from './history.ts'
export * from './replay.ts'
export { bridgeLogger, installTemporalRuntime } from './runtime.ts'
export * from './worker.ts'
