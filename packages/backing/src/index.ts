/**
 * Finds, makes, starts, watches and ends the servers that the services stand on, for `npm start`
 * and for tests. Nothing in a deployment uses it.
 *
 * Promise: a busy port is told before anything is built or started; a server that dies is started
 * again on its own port; every one is ended within 10 s of a stop, and by the next start on the
 * same folder when even its guards were killed; what cannot be had is a SetupError that says what
 * to do.
 *
 * Traps. An address in the environment wins over everything, and such a server is never ended.
 * Children live in process groups of their own: Ctrl-C does not reach them, so `stop` must be
 * called. As root, Postgres runs as another user, and its files may lie elsewhere. `durable: false`
 * loses data at a crash of the machine. A port that was free may be taken before it is used.
 */
export * from './backing.ts'
export { type Source } from './choice.ts'
export * from './fault-proxy.ts'
export * from './folder-lock.ts'
export { cacheFolder } from './locate.ts'
export * from './nats.ts'
export * from './ports.ts'
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.ts'
export { callGrpc, exchange, probeHttp, protobufField } from './probe.ts'
export * from './progress.ts'
export { endRecorded, openProcessRecord, type ProcessRecord } from './record.ts'
export { type RedisServer, startRedis } from './redis.ts'
export { type BackingName, type BackingOptions, type BackingServer } from './server.ts'
export * from './setup-error.ts'
export * from './supervise.ts'
export * from './temporal.ts'
export * from './temporary-folder.ts'
export * from './toxiproxy.ts'
