import { randomInt } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import { idFromUuid } from '@holdfast/kernel'
import {
  GetAvailabilityRequest,
  PlaceHoldRequest,
  SetStockRequest,
} from '@holdfast/proto/inventory'
import { expect, test } from 'vitest'
import type { CallContext } from '../src/index.ts'
import { type Body, createDice, mutateBody, mutateMessage } from './frame-mutations.ts'
import { type RawOutcome, createHttp2, createRawClient, startServer } from './rpc-kit.ts'
import { type Shape, messagesIn, readByTheRules } from './wire-reference.ts'

/** Frames of a run; HOLDFAST_TEST_FRAMES=1000000 makes it a long one. */
const FRAMES = Number(process.env['HOLDFAST_TEST_FRAMES'] ?? 100_000)
/** HOLDFAST_TEST_SEED repeats a run. */
const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? randomInt(2 ** 32))
/** The longest a frame may take on a loaded machine, ms. */
const FRAME_MS_MAX = 10
const CONNECTIONS = 4
const LANES_PER_CONNECTION = 16

const CASE_KEY = 'x-case'
const lines: Shape = {
  1: { name: 'itemId', type: 'string' },
  2: { name: 'quantity', type: 'int32' },
}

interface Subject {
  readonly method: string
  readonly good: Buffer
  readonly shape: Shape
}

const SUBJECTS: readonly Subject[] = [
  {
    method: 'PlaceHold',
    good: Buffer.from(
      PlaceHoldRequest.encode({
        requestId: 'request-1',
        holdId: idFromUuid('hold', '01890000-0000-7000-8000-000000000001'),
        orderId: 'größe 😀',
        lines: [
          { itemId: 'sti_1', quantity: 3 },
          { itemId: 'sti_2', quantity: -1 },
        ],
      }).finish(),
    ),
    shape: {
      1: { name: 'requestId', type: 'string' },
      2: { name: 'holdId', type: 'string' },
      3: { name: 'orderId', type: 'string' },
      4: { name: 'lines', type: lines, repeated: true },
    },
  },
  {
    method: 'SetStock',
    good: Buffer.from(
      SetStockRequest.encode({
        requestId: 'request-2',
        sellerId: 'slr_1',
        itemId: 'sti_1',
        onHand: 1_000_000,
        expectedVersion: 2n ** 53n + 1n,
      }).finish(),
    ),
    shape: {
      1: { name: 'requestId', type: 'string' },
      2: { name: 'sellerId', type: 'string' },
      3: { name: 'itemId', type: 'string' },
      4: { name: 'onHand', type: 'int32' },
      5: { name: 'expectedVersion', type: 'int64' },
    },
  },
  {
    method: 'GetAvailability',
    good: Buffer.from(
      GetAvailabilityRequest.encode({ itemIds: ['sti_1', '', 'ß'], sellerId: 'slr_1' }).finish(),
    ),
    shape: {
      1: { name: 'itemIds', type: 'string', repeated: true },
      2: { name: 'sellerId', type: 'string' },
    },
  },
]

/** Connections one frame may lose: a starved machine misses keepalive, a bad frame takes each. */
const LOSSES_MAX = 3
const LOST = -1

/** Posts, over a connection of its own when the shared one was lost under it. */
async function post(
  shared: ReturnType<typeof createHttp2>,
  what: Parameters<typeof shared.post>,
): Promise<RawOutcome> {
  let outcome = await shared.post(...what)
  for (let loss = 0; outcome.code === LOST && loss < LOSSES_MAX; loss += 1) {
    using own = createHttp2(shared.address)
    outcome = await own.post(...what)
  }
  return outcome
}

/** The request that the rules find in a body; undefined when a server must refuse it. */
function requestIn(body: Body, shape: Shape): Record<string, unknown> | undefined {
  try {
    const [message, ...more] = messagesIn(body.bytes, body.encoding)
    return message === undefined || more.length > 0 ? undefined : readByTheRules(message, shape)
  } catch {
    return undefined
  }
}

const ANSWERED = `${status.OK} answered`
/** How a frame that the rules refuse may be refused. */
const REFUSALS = [
  `${status.INVALID_ARGUMENT} MALFORMED_MESSAGE`,
  `${status.RESOURCE_EXHAUSTED} MESSAGE_TOO_LARGE`,
  `${status.UNIMPLEMENTED} MALFORMED_MESSAGE`,
]
const FIELD_REFUSED = `${status.INVALID_ARGUMENT} INVALID_FIELD`

const textOf = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))

test('I8: mutated frames never crash a server, are its own fault, or run with other content', {
  timeout: Math.max(120_000, FRAMES * FRAME_MS_MAX),
}, async () => {
  // Before the first frame: the run that most needs repeating is the one that never ends.
  process.stdout.write(`${FRAMES} mutated frames, seed ${SEED}\n`)
  await using server = await startServer()
  const served = new Map<string, unknown>()
  server.unary = async (request: unknown, call: CallContext) => {
    served.set(call.metadata(CASE_KEY) ?? '', request)
    return { hold: undefined, item: undefined, items: [], missingItemIds: [] }
  }
  const dice = createDice(SEED)
  const counts = new Map<string, number>()
  const wrong: string[] = []
  let sent = 0
  const sendOne = async (http2: ReturnType<typeof createHttp2>): Promise<void> => {
    const number = String((sent += 1))
    const subject = dice.pick(SUBJECTS)
    const body = mutateBody(mutateMessage(subject.good, dice), dice)
    const headers = { [CASE_KEY]: number, 'grpc-encoding': body.encoding }
    const { code, reason } = await post(http2, [subject.method, body.bytes, headers])
    const outcome = `${code} ${reason}`
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    const wanted = requestIn(body, subject.shape)
    const got = served.get(number)
    served.delete(number)
    if (isRight({ outcome, wanted, got })) return
    wrong.push(`${subject.method} ${body.bytes.toString('hex')}: ${outcome}, ${textOf(got)}`)
  }
  const isOver = (): boolean => sent === FRAMES || wrong.length > 0
  const lane = async (http2: ReturnType<typeof createHttp2>): Promise<void> => {
    while (!isOver()) await sendOne(http2)
  }
  const connections = Array.from({ length: CONNECTIONS }, () => createHttp2(server.address))
  await Promise.all(
    connections.flatMap((http2) => Array.from({ length: LANES_PER_CONNECTION }, () => lane(http2))),
  )
  for (const http2 of connections) http2[Symbol.dispose]()
  process.stdout.write(`${sent} were answered: ${textOf(Object.fromEntries(counts))}\n`)
  expect(wrong).toEqual([])
  expect(sent).toBe(FRAMES)
  using raw = createRawClient(server.address)
  expect((await raw.call('GetHold', new Uint8Array())).reason).toBe('answered')
})

function isRight(of: {
  readonly outcome: string
  readonly wanted: Record<string, unknown> | undefined
  readonly got: unknown
}): boolean {
  const { outcome, wanted, got } = of
  if (wanted === undefined) return got === undefined && REFUSALS.includes(outcome)
  if (got === undefined) return outcome === FIELD_REFUSED
  return outcome === ANSWERED && textOf(got) === textOf(wanted)
}
