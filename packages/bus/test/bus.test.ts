import { randomBytes } from 'node:crypto'
import { freePorts } from '@holdfast/backing'
import { systemClock as clock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import {
  type Bus,
  connectBus,
  type InMessage,
  type OutMessage,
  type StreamSpec,
} from '../src/index.ts'
import { startOwnNats } from './own-nats.ts'

/** Other files use the same server. */
const run = randomBytes(4).toString('hex')
let streams = 0
function newState(): StreamSpec & { readonly prefix: string } {
  streams += 1
  const prefix = `state${run}${streams}.v1`
  return {
    name: `STATE${run}${streams}`,
    prefix,
    subjects: [`${prefix}.>`],
    messagesPerSubjectMax: 1,
    maxBytes: 1_000_000,
  }
}
function newFacts(): StreamSpec & { readonly prefix: string } {
  streams += 1
  const prefix = `facts${run}${streams}.v1`
  return {
    name: `FACTS${run}${streams}`,
    prefix,
    subjects: [`${prefix}.>`],
    maxAgeMs: 3_600_000,
    maxBytes: 1_000_000,
  }
}
async function open(url = backing().natsUrl): Promise<Bus> {
  const bus = connectBus({ urls: [url], name: 'test', log: SILENT_LOGGER, clock })
  expect(await bus.whenConnected(AbortSignal.timeout(10_000))).toBe(true)
  return bus
}
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (message: InMessage): string => new TextDecoder().decode(message.data)

test('a hint reaches listeners of other processes, wildcards included', async () => {
  await using sender = await open()
  await using receiver = await open()
  const heard: string[] = []
  using _listening = receiver.onPoke('hint.v1.order.*', (subject) => heard.push(subject))
  await eventually(
    () => {
      sender.poke('hint.v1.order.ord_1')
      expect(heard.length).toBeGreaterThan(0)
    },
    { withinMs: 5_000 },
  )
  expect(heard[0]).toBe('hint.v1.order.ord_1')
})

test('a bus opens without a server, says unavailable, and connects when one comes', async () => {
  const [port] = await freePorts(1)
  await using bus = connectBus({
    urls: [`nats://127.0.0.1:${port}`],
    name: 't',
    log: SILENT_LOGGER,
    clock,
  })
  expect(bus.isConnected).toBe(false)
  expect((await bus.ensureStream(newState())).kind).toBe('unavailable')
  expect((await bus.publish({ subject: 'a.b', data: bytes('x') })).kind).toBe('unavailable')
  bus.poke('hint.v1.a')
  await using _late = await startOwnNats({ port: port ?? 0 })
  expect(await bus.whenConnected(AbortSignal.timeout(10_000))).toBe(true)
}, 20_000)

test('a bus can be closed while it never reached a server', async () => {
  const bus = connectBus({ urls: ['nats://127.0.0.1:1'], name: 't', log: SILENT_LOGGER, clock })
  await bus[Symbol.asyncDispose]()
  expect(await bus.whenConnected(AbortSignal.timeout(1_000))).toBe(false)
})

test('a chain behind the right sequence stores all; another writer is refused', async () => {
  await using bus = await open()
  const spec = newState()
  expect(await bus.ensureStream(spec)).toMatchObject({ kind: 'ok', epoch: '', lastSequence: 0 })
  const messages = (label: string): OutMessage[] =>
    Array.from({ length: 500 }, (_, index) => ({
      subject: `${spec.prefix}.i${index}`,
      data: bytes(label),
    }))
  expect(await bus.publishChain(messages('v2'), 0)).toEqual({
    publishedCount: 500,
    lastSequence: 500,
    stoppedBy: undefined,
  })
  const late = await bus.publishChain(messages('v1'), 0)
  expect(late).toEqual({
    publishedCount: 0,
    lastSequence: undefined,
    stoppedBy: { kind: 'wrong-sequence' },
  })
  expect(await bus.ensureStream(spec)).toMatchObject({ lastSequence: 500, messageCount: 500 })
})

test('I18: with two writers a late v1 never replaces v2: it expects an old sequence', async () => {
  await using first = await open()
  await using second = await open()
  const spec = newState()
  await first.ensureStream(spec)
  const subject = `${spec.prefix}.item`
  const known = 0
  expect(await second.publish({ subject, data: bytes('v2') }, known)).toEqual({
    kind: 'ok',
    sequence: 1,
  })
  expect(await first.publish({ subject, data: bytes('v1') }, known)).toEqual({
    kind: 'wrong-sequence',
  })
  const seen: string[] = []
  await using _follower = first.follow({
    stream: spec,
    filterSubjects: [`${spec.prefix}.>`],
    startFrom: 'last-per-subject',
    onMessage: (message) => void seen.push(text(message)),
    onGap: () => undefined,
    onPoison: () => undefined,
  })
  await eventually(() => expect(seen).toEqual(['v2']), { withinMs: 5_000 })
})

test('a message above 256 KB is refused, not retried', async () => {
  await using bus = await open()
  const spec = newState()
  await bus.ensureStream(spec)
  const data = new Uint8Array(300_000)
  expect((await bus.publish({ subject: `${spec.prefix}.a`, data })).kind).toBe('refused')
})

test('I18: a follower is told it started, then sees each last message, then news', async () => {
  await using bus = await open()
  const spec = newState()
  await bus.ensureStream(spec)
  const events: string[] = []
  await bus.publish({ subject: `${spec.prefix}.a`, data: bytes('a1') })
  await bus.publish({
    subject: `${spec.prefix}.a`,
    data: bytes('a2'),
    headers: { 'Holdfast-Note': 'hello' },
  })
  await using _follower = bus.follow({
    stream: spec,
    filterSubjects: [`${spec.prefix}.a`, `${spec.prefix}.b`],
    startFrom: 'last-per-subject',
    onMessage: (message) =>
      void events.push(`${text(message)} ${message.header('Holdfast-Note') ?? '-'}`),
    onGap: (reason) => void events.push(reason),
    onPoison: () => undefined,
  })
  await eventually(() => expect(events).toEqual(['started', 'a2 hello']), { withinMs: 5_000 })
  await bus.publish({ subject: `${spec.prefix}.b`, data: bytes('b1') })
  await bus.publish({ subject: `${spec.prefix}.c`, data: bytes('c1') })
  await eventually(() => expect(events).toEqual(['started', 'a2 hello', 'b1 -']), {
    withinMs: 5_000,
  })
})

test('the last message of each subject can be read, missing subjects are left out', async () => {
  await using bus = await open()
  const spec = newState()
  await bus.ensureStream(spec)
  const subjects = Array.from({ length: 1_200 }, (_, index) => `${spec.prefix}.i${index}`)
  const none = await bus.readLast({ stream: spec.name, subjects })
  expect(none).toEqual({ kind: 'ok', messages: new Map() })
  const headers = { 'Holdfast-Version': '7' }
  const messages = subjects
    .slice(0, 1_100)
    .map((subject) => ({ subject, data: bytes('x'), headers }))
  await bus.publishChain(messages)
  const found = await bus.readLast({ stream: spec.name, subjects })
  expect(found.kind === 'ok' && found.messages.size).toBe(1_100)
  const one = found.kind === 'ok' ? found.messages.get(`${spec.prefix}.i1099`) : undefined
  expect(one?.header('Holdfast-Version')).toBe('7')
})

test('a poison message is handed over and the follower goes on', async () => {
  await using bus = await open()
  const spec = newState()
  await bus.ensureStream(spec)
  const seen: string[] = []
  const parked: string[] = []
  await using _follower = bus.follow({
    stream: spec,
    filterSubjects: [`${spec.prefix}.>`],
    startFrom: 'last-per-subject',
    onMessage: (message) => {
      if (text(message) === 'poison') throw new Error('cannot read')
      seen.push(text(message))
    },
    onGap: () => undefined,
    onPoison: (message, cause) => void parked.push(`${message.subject} ${String(cause)}`),
  })
  for (const body of ['one', 'poison', 'two']) {
    await bus.publish({ subject: `${spec.prefix}.${body}`, data: bytes(body) })
  }
  await eventually(() => expect(seen).toEqual(['one', 'two']), { withinMs: 5_000 })
  expect(parked).toEqual([`${spec.prefix}.poison Error: cannot read`])
})

test('I18: a rebuilt stream is a new epoch: the reader is told and sees all anew', async () => {
  await using own = await startOwnNats()
  await using bus = await open(own.url)
  const spec = newState()
  await bus.ensureStream(spec)
  await bus.startStreamEpoch({ stream: spec.name, epoch: 'one' })
  const events: string[] = []
  await bus.publish({
    subject: `${spec.prefix}.a`,
    data: bytes('a9'),
    headers: { 'Holdfast-Epoch': 'one' },
  })
  await using _follower = bus.follow({
    stream: spec,
    filterSubjects: [`${spec.prefix}.>`],
    startFrom: 'last-per-subject',
    onMessage: (message) => void events.push(text(message)),
    onGap: (reason) => void events.push(reason),
    onPoison: () => undefined,
  })
  await eventually(() => expect(events).toEqual(['started', 'a9']), { withinMs: 5_000 })
  await own.stop()
  await own.start({ wipe: true })
  expect(await bus.whenConnected(AbortSignal.timeout(10_000))).toBe(true)
  await eventually(
    async () => {
      expect((await bus.ensureStream(spec)).kind).toBe('ok')
      expect((await bus.startStreamEpoch({ stream: spec.name, epoch: 'two' })).kind).toBe('ok')
    },
    { withinMs: 10_000 },
  )
  await eventually(
    async () =>
      expect(
        await bus.publish({
          subject: `${spec.prefix}.a`,
          data: bytes('a10'),
          headers: { 'Holdfast-Epoch': 'two' },
        }),
      ).toMatchObject({ kind: 'ok' }),
    { withinMs: 5_000 },
  )
  await eventually(
    () => {
      expect(events.at(-1)).toBe('a10')
      expect(events.slice(2)).toContain('new-epoch')
    },
    { withinMs: 15_000 },
  )
}, 60_000)

test('a follower survives kill and restart of NATS and misses nothing', async () => {
  await using own = await startOwnNats()
  await using bus = await open(own.url)
  const spec = newFacts()
  await bus.ensureStream(spec)
  const seen: string[] = []
  const gaps: string[] = []
  await using _follower = bus.follow({
    stream: spec,
    filterSubjects: [`${spec.prefix}.>`],
    startFrom: 'new',
    onMessage: (message) => void seen.push(text(message)),
    onGap: (reason) => void gaps.push(reason),
    onPoison: () => undefined,
  })
  await eventually(() => expect(gaps).toEqual(['started']), { withinMs: 5_000 })
  await bus.publish({ subject: `${spec.prefix}.a`, data: bytes('1') })
  await eventually(() => expect(seen).toEqual(['1']), { withinMs: 5_000 })
  await own.stop()
  expect((await bus.publish({ subject: `${spec.prefix}.a`, data: bytes('lost') })).kind).toBe(
    'unavailable',
  )
  await own.start({ wipe: false })
  await bus.whenConnected(AbortSignal.timeout(10_000))
  await eventually(
    async () =>
      expect(await bus.publish({ subject: `${spec.prefix}.a`, data: bytes('2') })).toMatchObject({
        kind: 'ok',
      }),
    { withinMs: 10_000 },
  )
  await eventually(() => expect(seen.filter((body) => body !== 'lost')).toEqual(['1', '2']), {
    withinMs: 15_000,
  })
  expect(gaps.length).toBeGreaterThan(1)
}, 60_000)

test('a frozen NATS is noticed by missed heartbeats and followed again later', async () => {
  await using own = await startOwnNats()
  const warnings: string[] = []
  const log = { ...SILENT_LOGGER, warn: (message: string) => void warnings.push(message) }
  await using bus = connectBus({ urls: [own.url], name: 'test', log, clock })
  await bus.whenConnected(AbortSignal.timeout(10_000))
  const spec = newState()
  await bus.ensureStream(spec)
  const events: string[] = []
  await using _follower = bus.follow({
    stream: spec,
    filterSubjects: [`${spec.prefix}.>`],
    startFrom: 'last-per-subject',
    onMessage: (message) => void events.push(text(message)),
    onGap: (reason) => void events.push(reason),
    onPoison: () => undefined,
  })
  await eventually(() => expect(events).toEqual(['started']), { withinMs: 5_000 })
  own.signal('SIGSTOP')
  await eventually(() => expect(warnings).toContain('A follower may have missed messages.'), {
    withinMs: 10_000,
  })
  own.signal('SIGCONT')
  await eventually(
    async () =>
      expect(await bus.publish({ subject: `${spec.prefix}.a`, data: bytes('a1') })).toMatchObject({
        kind: 'ok',
      }),
    { withinMs: 10_000 },
  )
  await eventually(
    () => {
      expect(events).toContain('heartbeat-missed')
      expect(events.at(-1)).toBe('a1')
    },
    { withinMs: 15_000 },
  )
}, 60_000)

test('I9: a durable consumer works off all across kill -9 of NATS and failures', async () => {
  await using own = await startOwnNats()
  await using bus = await open(own.url)
  const spec = newFacts()
  await bus.ensureStream(spec)
  const done = new Set<string>()
  let refusals = 0
  await using _worker = bus.consume({
    stream: spec,
    filterSubjects: [`${spec.prefix}.>`],
    name: 'worker',
    handle: async (message) => {
      if (text(message) === '3' && refusals < 2) {
        refusals += 1
        throw new Error('not yet')
      }
      done.add(text(message))
    },
    park: async () => undefined,
  })
  for (const body of ['1', '2', '3'])
    await bus.publish({ subject: `${spec.prefix}.a`, data: bytes(body) })
  await eventually(() => expect([...done].toSorted()).toEqual(['1', '2', '3']), {
    withinMs: 15_000,
  })
  own.signal('SIGKILL')
  await eventually(() => expect(bus.isConnected).toBe(false), { withinMs: 5_000 })
  await bus.whenConnected(AbortSignal.timeout(10_000))
  await eventually(
    async () =>
      expect(await bus.publish({ subject: `${spec.prefix}.a`, data: bytes('4') })).toMatchObject({
        kind: 'ok',
      }),
    { withinMs: 10_000 },
  )
  await eventually(() => expect(done.has('4')).toBe(true), { withinMs: 20_000 })
}, 60_000)

test('a message that always fails is parked after 5 tries and the rest goes on', async () => {
  await using bus = await open()
  const spec = newFacts()
  await bus.ensureStream(spec)
  const tries: string[] = []
  const parked: string[] = []
  await using _worker = bus.consume({
    stream: spec,
    filterSubjects: [`${spec.prefix}.>`],
    name: 'worker',
    handle: async (message) => {
      tries.push(text(message))
      if (text(message) === 'poison') throw new Error('never')
    },
    park: async (message) => void parked.push(text(message)),
  })
  for (const body of ['poison', 'good'])
    await bus.publish({ subject: `${spec.prefix}.a`, data: bytes(body) })
  await eventually(() => expect(parked).toEqual(['poison']), { withinMs: 15_000 })
  expect(tries.filter((body) => body === 'poison')).toHaveLength(5)
  expect(tries).toContain('good')
}, 30_000)
