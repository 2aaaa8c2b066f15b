import { armCrashPoints, type Id, Unavailable } from '@holdfast/kernel'
import { systemClock as clock } from '@holdfast/runtime'
import { SILENT_LOGGER as log } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { appendFacts, consumeFacts, type Fact } from '../src/index.ts'
import { type Fixture, openFixture, startOwnNats } from './fixture.ts'

/** Longer than the last look at the rows can have found them waiting before NATS went away. */
const AWAY_MS = 3_000

afterEach(() => armCrashPoints(() => undefined))

/** Applies facts into memory; `refuse` makes some of them fail. */
function apply(
  fixture: Fixture,
  consumer: string,
  refuse: (text: string) => Error | undefined = () => undefined,
) {
  const applied: { readonly eventId: Id<'event'>; readonly text: string }[] = []
  const facts = consumeFacts({
    db: fixture.db,
    bus: fixture.bus,
    clock,
    log,
    consumer,
    filterSubjects: [fixture.factSubject('>')],
    stream: fixture.facts,
    apply: async (_tx, fact: Fact) => {
      const text = Buffer.from(fact.payload).toString()
      const failure = refuse(text)
      if (failure !== undefined) throw failure
      applied.push({ eventId: fact.eventId, text })
    },
  })
  return { applied, facts }
}

test('I19: every fact is applied once and in order', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startFactRelay()
  const { applied, facts } = apply(fixture, 'reader')
  await using _facts = facts
  const ids: Id<'event'>[] = []
  for (let index = 0; index < 100; index += 1) ids.push(await fixture.tell('paid', `${index}`))
  await eventually(() => expect(applied.map(({ eventId }) => eventId)).toEqual(ids), {
    withinMs: 15_000,
  })
  await eventually(async () => expect(await fixture.waitingCount()).toBe(0), { withinMs: 5_000 })
})

test('I6: a relay killed between publish and delete: consumers apply the repeat once', async () => {
  await using fixture = await openFixture()
  const killed = fixture.startFactRelay()
  const { applied, facts } = apply(fixture, 'reader')
  await using _facts = facts
  let published = 0
  armCrashPoints((name) => {
    if (name === 'outbox.fact.published') {
      published += 1
      throw new Error('killed here')
    }
  })
  await fixture.tell('paid', 'once')
  await eventually(() => expect(published).toBeGreaterThan(1), { withinMs: 10_000 })
  await killed[Symbol.asyncDispose]()
  armCrashPoints(() => undefined)
  await using _successor = fixture.startFactRelay()
  await eventually(async () => expect(await fixture.waitingCount()).toBe(0), { withinMs: 10_000 })
  await fixture.tell('paid', 'after')
  await eventually(() => expect(applied.map(({ text }) => text)).toContain('after'), {
    withinMs: 10_000,
  })
  expect(applied.map(({ text }) => text)).toEqual(['once', 'after'])
})

test('I19: a fact that commits after later ones were published is published too', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startFactRelay()
  const { applied, facts } = apply(fixture, 'reader')
  await using _facts = facts
  const appended = Promise.withResolvers<void>()
  const mayCommit = Promise.withResolvers<void>()
  const eventId = 'evt_01jd0000000000000000000000' as Id<'event'>
  const late = fixture.db.transaction(async (tx) => {
    const subject = fixture.factSubject('paid')
    await appendFacts(tx, [{ subject, eventId, payload: Buffer.from('late') }])
    appended.resolve()
    await mayCommit.promise
  })
  await appended.promise
  await fixture.tell('paid', 'early')
  await eventually(() => expect(applied).toHaveLength(1), { withinMs: 10_000 })
  mayCommit.resolve()
  await late
  await eventually(() => expect(applied.map(({ text }) => text)).toEqual(['early', 'late']), {
    withinMs: 10_000,
  })
})

test('I19: a lost stream is filled again; known facts have no second effect', async () => {
  await using nats = await startOwnNats()
  await using fixture = await openFixture({ natsUrl: nats.url })
  await using _relay = fixture.startFactRelay()
  const reader = apply(fixture, 'reader')
  await using _facts = reader.facts
  for (let index = 0; index < 30; index += 1) await fixture.tell('paid', `${index}`)
  await eventually(() => expect(reader.applied).toHaveLength(30), { withinMs: 15_000 })
  await nats.stop()
  await nats.startAgain({ wipe: true })
  await fixture.tell('paid', 'after the loss')
  const newcomer = apply(fixture, 'newcomer')
  await using _newcomer = newcomer.facts
  await eventually(() => expect(newcomer.applied).toHaveLength(31), { withinMs: 40_000 })
  await eventually(() => expect(reader.applied.at(-1)?.text).toBe('after the loss'), {
    withinMs: 20_000,
  })
  expect(reader.applied).toHaveLength(31)
}, 120_000)

test('I19: NATS away: the relay says how long a fact waits, which is told after it', async () => {
  await using nats = await startOwnNats()
  await using fixture = await openFixture({ natsUrl: nats.url })
  await using relay = fixture.startFactRelay()
  const reader = apply(fixture, 'reader')
  await using _facts = reader.facts
  await fixture.tell('paid', 'before')
  await eventually(() => expect(reader.applied).toHaveLength(1), { withinMs: 15_000 })
  await nats.stop()
  await fixture.tell('paid', 'meanwhile')
  await eventually(() => expect(relay.status().oldestWaitingMs).toBeGreaterThan(AWAY_MS), {
    withinMs: 20_000,
  })
  await nats.startAgain({ wipe: false })
  await eventually(() => expect(reader.applied.at(-1)?.text).toBe('meanwhile'), {
    withinMs: 30_000,
  })
  await eventually(() => expect(relay.status().oldestWaitingMs).toBe(0), { withinMs: 10_000 })
})

test('a fact that cannot be applied is parked after 5 tries, the others pass', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startFactRelay()
  const reader = apply(fixture, 'reader', (text) =>
    text === 'poison' ? new Error('cannot apply') : undefined,
  )
  await using _facts = reader.facts
  for (const text of ['poison', 'good']) await fixture.tell('paid', text)
  await eventually(
    async () =>
      expect(await fixture.database.query('SELECT subject, reason FROM inbox_parked')).toEqual([
        { subject: fixture.factSubject('paid'), reason: 'Error' },
      ]),
    { withinMs: 20_000 },
  )
  expect(reader.applied.map(({ text }) => text)).toEqual(['good'])
})

test('I9: a fact whose consumer lacks what it needs waits, and is never parked', async () => {
  await using fixture = await openFixture()
  await using _relay = fixture.startFactRelay()
  let tries = 0
  const reader = apply(fixture, 'reader', () => {
    tries += 1
    if (tries > 8) return undefined
    return new Unavailable('DEPENDENCY_UNAVAILABLE', 'Away.')
  })
  await using _facts = reader.facts
  await fixture.tell('paid', 'patient')
  await eventually(() => expect(reader.applied).toHaveLength(1), { withinMs: 30_000 })
  expect(await fixture.database.query('SELECT 1 FROM inbox_parked')).toHaveLength(0)
})

test('a consumer polls at its start and again: a lost message costs time only', async () => {
  await using fixture = await openFixture()
  let polls = 0
  const facts = consumeFacts({
    db: fixture.db,
    bus: fixture.bus,
    clock,
    log,
    consumer: 'reader',
    filterSubjects: [fixture.factSubject('>')],
    stream: fixture.facts,
    apply: async () => undefined,
    poll: {
      everyMs: 100,
      run: async () => {
        polls += 1
        if (polls === 2) throw new Error('a poll that fails is tried again')
      },
    },
  })
  await using _facts = facts
  await eventually(() => expect(polls).toBeGreaterThan(3), { withinMs: 10_000 })
})
