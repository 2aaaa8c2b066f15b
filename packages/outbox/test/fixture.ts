import { randomBytes } from 'node:crypto'
import { type BackingServer, freePorts, makeTemporaryFolder, startNats } from '@holdfast/backing'
import { type Bus, connectBus, type InMessage, type StreamSpec } from '@holdfast/bus'
import type { Clock, Id } from '@holdfast/kernel'
import { createPrimaryDb, type PrimaryDb } from '@holdfast/pg'
import { newId, systemClock as clock } from '@holdfast/runtime'
import { SILENT_LOGGER as log } from '@holdfast/telemetry'
import { backing, createTestDatabase, type TestDatabase } from '@holdfast/testkit'
import {
  appendFacts,
  appendState,
  createFactRelay,
  createStateRelay,
  type CurrentState,
  OUTBOX_MIGRATIONS,
  type Relay,
  VERSION_HEADER,
} from '../src/index.ts'

const MEGABYTE = 1024 * 1024

/** One test's own database, connection to NATS and streams. */
export interface Fixture extends AsyncDisposable {
  readonly database: TestDatabase
  readonly db: PrimaryDb
  readonly bus: Bus
  readonly states: StreamSpec
  readonly facts: StreamSpec
  /** The table behind the states: the version each key is at. */
  readonly current: Map<string, bigint>
  subjectOf(key: string): string
  factSubject(kind: string): string
  watermarkSubject: string
  /** Commits a state: the table and its outbox row. */
  put(key: string, version: bigint): Promise<void>
  /** Commits a fact and answers its id. */
  tell(kind: string, text: string): Promise<Id<'event'>>
  /** `waits` replaces how long the relay sleeps between its turns, ms. */
  startStateRelay(over?: Bus, waits?: (durationMs: number) => number): Relay
  startFactRelay(over?: Bus): Relay
  waitingCount(): Promise<number>
  /** Key → version of what the stream's last messages say. */
  lastVersions(): Promise<ReadonlyMap<string, bigint>>
}

/** Opens it over the suite's NATS, or over the one at `natsUrl`. */
export async function openFixture(options: { readonly natsUrl?: string } = {}): Promise<Fixture> {
  const database = await createTestDatabase({
    service: 'payment',
    migrationFolders: [OUTBOX_MIGRATIONS],
  })
  const db = openDb(database)
  const bus = await openBus(options.natsUrl ?? backing().natsUrl)
  const run = randomBytes(5).toString('hex')
  const states = { ...specOf(`S${run}`, `s${run}.>`), messagesPerSubjectMax: 1 }
  const facts = specOf(`F${run}`, `f${run}.>`)
  const current = new Map<string, bigint>()
  const subjectOf = (key: string): string => `s${run}.key.${key}`
  const factSubject = (kind: string): string => `f${run}.${kind}`
  const hintSubject = `hint.v1.test.${run}`
  const watermarkSubject = `s${run}.watermark`
  const relayParts = { db, clock, log, hintSubject }
  const stateOf = (key: string, version: bigint): CurrentState => ({
    subject: subjectOf(key),
    key,
    version,
    payload: Buffer.from(`${key}@${version}`),
  })
  return {
    database,
    db,
    bus,
    states,
    facts,
    current,
    subjectOf,
    factSubject,
    watermarkSubject,
    put: async (key, version) => {
      await db.transaction(async (tx) => {
        await appendState(tx, [stateOf(key, version)])
      })
      if ((current.get(key) ?? 0n) < version) current.set(key, version)
      bus.poke(hintSubject)
    },
    tell: async (kind, text) => {
      const eventId = newId('event')
      const payload = Buffer.from(text)
      await db.transaction((tx) =>
        appendFacts(tx, [{ subject: factSubject(kind), eventId, payload }]),
      )
      bus.poke(hintSubject)
      return eventId
    },
    startStateRelay: (over = bus, waits = (durationMs) => durationMs) =>
      createStateRelay({
        ...relayParts,
        clock: clockThatWaits(waits),
        bus: over,
        feed: 'states',
        stream: states,
        watermarkSubject,
        encodeWatermark: ({ completeThrough }) => Buffer.from(completeThrough.toISOString()),
        readCurrent: async (afterKey) =>
          pageAfter(current, afterKey).map(([key, version]) => stateOf(key, version)),
      }),
    startFactRelay: (over = bus) => createFactRelay({ ...relayParts, bus: over, stream: facts }),
    waitingCount: () => countWaiting(database),
    lastVersions: () => readVersions(bus, states, current, subjectOf),
    [Symbol.asyncDispose]: async () => {
      await bus[Symbol.asyncDispose]()
      await db[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** The system's clock with other waits. */
function clockThatWaits(waits: (durationMs: number) => number): Clock {
  return {
    ...clock,
    sleep: async (durationMs, signal) => clock.sleep(waits(durationMs), signal),
  }
}

/** Keys after one, in their order, 100 at most. */
function pageAfter(current: ReadonlyMap<string, bigint>, afterKey: string) {
  return [...current.entries()]
    .filter(([key]) => key > afterKey)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .slice(0, 100)
}

async function countWaiting(database: TestDatabase): Promise<number> {
  const rows = await database.query<{ waiting: number }>(
    'SELECT count(*)::int AS waiting FROM outbox_message',
  )
  return rows[0]?.waiting ?? 0
}

/** A connection of the serving role. */
function openDb(database: TestDatabase): PrimaryDb {
  return createPrimaryDb({
    url: database.url('app'),
    password: database.password,
    applicationName: 'outbox-test',
    connectionsMax: 6,
    clock,
    log,
  })
}

/** A bus that is connected. */
async function openBus(url: string): Promise<Bus> {
  const bus = connectBus({ urls: [url], name: 'outbox-test', clock, log })
  await bus.whenConnected(AbortSignal.timeout(10_000))
  return bus
}

/** A NATS of one test alone, which the test may stop, wipe and start again. */
export async function startOwnNats() {
  const port = (await freePorts(1))[0] ?? 0
  let folder = makeTemporaryFolder()
  const start = () => startNats({ dataFolder: folder.path, port, report: () => undefined })
  let server: BackingServer = await start()
  return {
    url: `nats://${server.address}`,
    stop: () => server.stop(),
    startAgain: async ({ wipe }: { readonly wipe: boolean }) => {
      if (wipe) {
        folder.remove()
        folder = makeTemporaryFolder()
      }
      server = await start()
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      folder.remove()
    },
  }
}

/** The text of a message. */
export function textOf(message: Pick<InMessage, 'data'>): string {
  return Buffer.from(message.data).toString()
}

function specOf(name: string, subject: string): StreamSpec {
  return { name, subjects: [subject], maxBytes: 64 * MEGABYTE }
}

async function readVersions(
  bus: Bus,
  stream: StreamSpec,
  current: ReadonlyMap<string, bigint>,
  subjectOf: (key: string) => string,
): Promise<ReadonlyMap<string, bigint>> {
  const keys = [...current.keys()]
  const last = await bus.readLast({ stream: stream.name, subjects: keys.map(subjectOf) })
  if (last.kind === 'unavailable') throw new Error('NATS is away.')
  const versions = new Map<string, bigint>()
  for (const key of keys) {
    const version = last.messages.get(subjectOf(key))?.header(VERSION_HEADER)
    if (version !== undefined) versions.set(key, BigInt(version))
  }
  return versions
}
