import type { Bus, InMessage } from '@holdfast/bus'
import { armCrashPoints } from '@holdfast/kernel'
import { systemClock as clock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { appendState, createFreshness } from '../src/index.ts'
import { type Fixture, openFixture, startOwnNats, textOf } from './fixture.ts'

/** The relay's pause between turns, which no hint cuts short, ms. */
const TURN_PAUSE_MS = 20

const HOUR_MS = 3_600_000

/** Longer than the last look at the rows can have found them waiting before NATS went away. */
const AWAY_MS = 3_000

afterEach(() => armCrashPoints(() => undefined))

async function expectConverged(fixture: Fixture, withinMs = 10_000): Promise<void> {
  await eventually(
    async () => {
      expect(await fixture.lastVersions()).toEqual(fixture.current)
      expect(await fixture.waitingCount()).toBe(0)
    },
    { withinMs },
  )
}

/** Keeps what arrives, as a consumer would: gaps, texts in order, and freshness. */
function collect(fixture: Fixture) {
  const gaps: string[] = []
  const texts: string[] = []
  const watermarks: Date[] = []
  const freshness = createFreshness(clock)
  const follower = fixture.bus.follow({
    stream: fixture.states,
    filterSubjects: [`${fixture.states.subjects[0]}`],
    startFrom: 'last-per-subject',
    onMessage: (message: InMessage) => {
      if (message.subject !== fixture.watermarkSubject) return void texts.push(textOf(message))
      const completeThrough = new Date(textOf(message))
      watermarks.push(completeThrough)
      freshness.note(completeThrough)
    },
    onGap: (reason) => void gaps.push(reason),
    onPoison: () => undefined,
  })
  return { gaps, texts, watermarks, freshness, follower }
}

test('I19: every committed state, or a later version, is published, and rows go', async () => {
  await using fixture = await openFixture()
  await using relay = fixture.startStateRelay()
  // 300 writes, as many at once as a pool serves in its time even on a busy machine.
  const keys = Array.from({ length: 30 }, (_, index) => `k${index}`)
  await Promise.all(
    keys.map(async (key) => {
      for (let version = 1n; version <= 10n; version += 1n) await fixture.put(key, version)
    }),
  )
  await expectConverged(fixture)
  expect(relay.status().isHolder).toBe(true)
  await eventually(() => expect(relay.status().oldestWaitingMs).toBe(0), { withinMs: 5_000 })
})

test('a hint carries a state to followers: the relay polls no more', async () => {
  await using fixture = await openFixture()
  // Beyond the pause that every turn keeps, the relay sleeps for an hour unless it is woken.
  const pollsNever = (durationMs: number) => (durationMs > TURN_PAUSE_MS ? HOUR_MS : durationMs)
  await using relay = fixture.startStateRelay(fixture.bus, pollsNever)
  const seen = collect(fixture)
  await using _follower = seen.follower
  await eventually(() => expect(relay.status().isHolder).toBe(true), { withinMs: 5_000 })
  for (let version = 1n; version <= 20n; version += 1n) {
    await fixture.put('k', version)
    await eventually(() => expect(seen.texts).toContain(`k@${version}`), { withinMs: 10_000 })
  }
})

test('I14: watermarks keep a follower fresh while nothing changes', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startStateRelay()
  const seen = collect(fixture)
  await using _follower = seen.follower
  await eventually(() => expect(seen.freshness.isFresh()).toBe(true), { withinMs: 5_000 })
  const { watermarks } = seen
  const before = watermarks.length
  await eventually(() => expect(watermarks.length).toBeGreaterThan(before + 2), {
    withinMs: 10_000,
  })
  const times = watermarks.map((completeThrough) => completeThrough.getTime())
  expect(times).toEqual([...new Set(times)].toSorted((left, right) => left - right))
  expect(seen.texts).toEqual([])
})

/** Version 1 gets the lower seq and commits only when the answered function is called. */
async function appendLate(fixture: Fixture): Promise<() => Promise<void>> {
  const appended = Promise.withResolvers<void>()
  const mayCommit = Promise.withResolvers<void>()
  const late = fixture.db.transaction(async (tx) => {
    const state = { subject: fixture.subjectOf('k'), key: 'k', version: 1n }
    await appendState(tx, [{ ...state, payload: Buffer.from('k@1') }])
    appended.resolve()
    await mayCommit.promise
  })
  await appended.promise
  return async () => {
    mayCommit.resolve()
    await late
  }
}

test('I18: version 1 that commits after version 2 was published is never the last', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startStateRelay()
  const commitLate = await appendLate(fixture)
  await fixture.put('k', 2n)
  await expectVersion(fixture, 2n)
  await commitLate()
  await expectConverged(fixture)
  expect(await fixture.lastVersions()).toEqual(new Map([['k', 2n]]))
})

test('I18: the same when another relay takes over in between', async () => {
  await using fixture = await openFixture()
  const first = fixture.startStateRelay()
  const commitLate = await appendLate(fixture)
  await fixture.put('k', 2n)
  await expectVersion(fixture, 2n)
  await first[Symbol.asyncDispose]()
  await commitLate()
  await using _second = fixture.startStateRelay()
  await expectConverged(fixture)
  expect(await fixture.lastVersions()).toEqual(new Map([['k', 2n]]))
})

async function expectVersion(fixture: Fixture, version: bigint): Promise<void> {
  await eventually(async () => expect((await fixture.lastVersions()).get('k')).toBe(version), {
    withinMs: 10_000,
  })
}

test('I18: a relay that slept over its lease is refused: version 2 stays the last', async () => {
  await using fixture = await openFixture()
  const asleep = Promise.withResolvers<void>()
  const awake = Promise.withResolvers<void>()
  let results: Promise<unknown> | undefined
  const sleepy: Bus = {
    ...fixture.bus,
    isConnected: true,
    publishChain: async (messages, after) => {
      if (messages[0]?.subject !== fixture.subjectOf('k')) {
        return fixture.bus.publishChain(messages, after)
      }
      asleep.resolve()
      await awake.promise
      const result = fixture.bus.publishChain(messages, after)
      results = result
      return result
    },
  }
  await using _zombie = fixture.startStateRelay(sleepy)
  await eventually(async () => expect(await readFeedRows(fixture)).toHaveLength(1), {
    withinMs: 5_000,
  })
  await fixture.put('k', 1n)
  await asleep.promise
  await endLease(fixture)
  await using second = fixture.startStateRelay()
  await eventually(() => expect(second.status().isHolder).toBe(true), { withinMs: 15_000 })
  await expectVersion(fixture, 1n)
  await fixture.put('k', 2n)
  await expectVersion(fixture, 2n)
  awake.resolve()
  await eventually(async () => expect(await results).toBeDefined(), { withinMs: 5_000 })
  expect(await results).toMatchObject({ publishedCount: 0, stoppedBy: { kind: 'wrong-sequence' } })
  await expectConverged(fixture)
  expect(await fixture.lastVersions()).toEqual(new Map([['k', 2n]]))
})

/** Does what time does to the lease of a relay that sleeps. */
async function endLease(fixture: Fixture): Promise<void> {
  await fixture.database.query('UPDATE outbox_lease SET expires_at = clock_timestamp()')
}

function readFeedRows(fixture: Fixture) {
  return fixture.database.query<{ epoch: bigint }>(
    'SELECT epoch FROM outbox_feed WHERE resend_after IS NULL',
  )
}

test('two relays at once: one works, and the other takes over within 10 s of its end', async () => {
  await using fixture = await openFixture()
  await using first = fixture.startStateRelay()
  await eventually(() => expect(first.status().isHolder).toBe(true), { withinMs: 5_000 })
  await using second = fixture.startStateRelay()
  await fixture.put('k', 1n)
  await expectConverged(fixture)
  expect(second.status().isHolder).toBe(false)
  await first[Symbol.asyncDispose]()
  await fixture.put('k', 2n)
  await expectConverged(fixture)
  expect(second.status().isHolder).toBe(true)
})

test('a relay killed between publish and delete: its successor repeats nothing older', async () => {
  await using fixture = await openFixture()
  const killed = fixture.startStateRelay()
  const seen = collect(fixture)
  await using _follower = seen.follower
  await fixture.put('k', 1n)
  await expectConverged(fixture)
  armCrashPoints((name) => {
    if (name === 'outbox.state.published') throw new Error('killed here')
  })
  await fixture.put('k', 2n)
  await eventually(() => expect(seen.texts).toContain('k@2'), { withinMs: 5_000 })
  await killed[Symbol.asyncDispose]()
  expect(await fixture.waitingCount()).toBe(1)
  armCrashPoints(() => undefined)
  await using _successor = fixture.startStateRelay()
  await expectConverged(fixture)
  const versions = seen.texts.map((text) => Number(text.split('@')[1]))
  expect(versions).toEqual(versions.toSorted((left, right) => left - right))
})

test('a message the stream refuses is parked and the others pass', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startStateRelay()
  await fixture.db.transaction((tx) =>
    appendState(tx, [
      {
        subject: fixture.subjectOf('big'),
        key: 'big',
        version: 1n,
        payload: Buffer.alloc(300_000),
      },
    ]),
  )
  for (const key of ['a', 'b', 'c']) await fixture.put(key, 1n)
  await expectConverged(fixture)
  const parked = await fixture.database.query<{ key: string; reason: string }>(
    'SELECT key, reason FROM outbox_parked',
  )
  expect(parked).toEqual([{ key: 'big', reason: expect.stringContaining('refuses') as string }])
})

test('I19: NATS away: commits go on, and everything is caught up after its return', async () => {
  await using nats = await startOwnNats()
  await using fixture = await openFixture({ natsUrl: nats.url })
  await using relay = fixture.startStateRelay()
  await fixture.put('k1', 1n)
  await expectConverged(fixture)
  await nats.stop()
  for (let index = 0; index < 50; index += 1) await fixture.put(`k${index}`, 2n)
  expect(await fixture.waitingCount()).toBe(50)
  await eventually(() => expect(relay.status().oldestWaitingMs).toBeGreaterThan(AWAY_MS), {
    withinMs: 20_000,
  })
  await nats.startAgain({ wipe: false })
  await expectConverged(fixture, 30_000)
  expect(relay.status().isHolder).toBe(true)
  await eventually(() => expect(relay.status().oldestWaitingMs).toBe(0), { withinMs: 10_000 })
  // A relay that was still filling its first epoch when NATS went away ends that first.
  await eventually(async () => expect(await readFeedRows(fixture)).toHaveLength(1), {
    withinMs: 10_000,
  })
  expect(await readEpoch(fixture)).toBe(1)
})

test('I19: a lost stream is filled again from the tables under a new epoch', async () => {
  await using nats = await startOwnNats()
  await using fixture = await openFixture({ natsUrl: nats.url })
  await using _relay = fixture.startStateRelay()
  for (let index = 0; index < 250; index += 1) await fixture.put(`k${index}`, BigInt(index + 1))
  await expectConverged(fixture)
  const seen = collect(fixture)
  await using _follower = seen.follower
  await eventually(() => expect(seen.texts).toHaveLength(250), { withinMs: 10_000 })
  expect(await readEpoch(fixture)).toBe(1)
  await nats.stop()
  await nats.startAgain({ wipe: true })
  await expectConverged(fixture, 60_000)
  expect(await readEpoch(fixture)).toBe(2)
  await eventually(
    () => {
      expect(seen.gaps).toContain('new-epoch')
      expect(new Set(seen.texts.slice(250)).size).toBe(250)
      expect(seen.freshness.isFresh()).toBe(true)
    },
    { withinMs: 30_000 },
  )
})

test('I19: a stream deleted under a running relay is filled again', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startStateRelay()
  for (let index = 0; index < 120; index += 1) await fixture.put(`k${index}`, 1n)
  await expectConverged(fixture)
  await deleteStream(fixture)
  await expectConverged(fixture, 30_000)
  expect(await readEpoch(fixture)).toBe(2)
})

async function readEpoch(fixture: Fixture): Promise<number> {
  const rows = await fixture.database.query<{ epoch: number }>(
    'SELECT epoch::int AS epoch FROM outbox_feed',
  )
  return rows[0]?.epoch ?? 0
}

async function deleteStream(fixture: Fixture): Promise<void> {
  const { connect } = await import('node:net')
  const { backing } = await import('@holdfast/testkit')
  const { hostname, port } = new URL(backing().natsUrl)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => undefined)
  // The bus has no way to delete a stream, on purpose; the protocol is plain text.
  socket.write(
    `CONNECT {"verbose":false}\r\n` +
      `PUB $JS.API.STREAM.DELETE.${fixture.states.name} 0\r\n\r\nPING\r\n`,
  )
  await new Promise<void>((resolve) => {
    socket.on('data', (data) => {
      if (data.toString().includes('PONG')) resolve()
    })
  })
  socket.destroy()
}
