import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { IllegalState, OutcomeUnknown, type OrderId, Unavailable } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually as eventuallyWithin } from '@holdfast/testkit'
import {
  MESSAGES,
  WORKFLOW_TYPES,
  checkoutWorkflowId,
  refundWorkflowId,
  type CheckoutResult,
  type ParkAction,
  type ResolveParkAnswer,
} from '@holdfast/workflows/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type StartAnswer,
  type TemporalLink,
  type TemporalWorker,
  WORKFLOW_GONE,
  buildWorkflowBundle,
  connectTemporal,
  createTemporalWorker,
  guardActivities,
  readHistory,
  replayHistory,
  signalWorkflow,
  startWorkflowEagerly,
  updateWorkflow,
} from '../src/index.ts'
import { BUSY, scriptedCheckout } from './scripted-checkout.ts'

const shop = scriptedCheckout()
/** Workflow ids by the name of their scenario. */
const runs = new Map<string, string>()
const taskQueue = `checkout-${randomUUID()}`
let link: TemporalLink
let worker: TemporalWorker

beforeAll(async () => {
  link = await connectTemporal({
    address: backing().temporalAddress,
    namespace: 'default',
    clock: systemClock,
    log: SILENT_LOGGER,
    identity: 'checkout-test',
  })
  worker = createTemporalWorker({
    link,
    entry: 'checkout',
    taskQueue,
    activities: guardActivities(shop.activities, { log: SILENT_LOGGER }),
    onFatal: (error) => {
      throw error
    },
  })
  await worker.whenPolling(AbortSignal.timeout(30_000))
}, 90_000)

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]()
  await link?.[Symbol.asyncDispose]()
}, 30_000)

function eventually(check: () => void | Promise<void>): Promise<void> {
  return eventuallyWithin(check, { withinMs: 15_000 })
}

function start(orderId: OrderId): Promise<StartAnswer> {
  return startWorkflowEagerly(link, {
    workflowType: WORKFLOW_TYPES.checkout,
    workflowId: checkoutWorkflowId(orderId),
    taskQueue,
    input: { orderId },
    searchAttributes: {
      HoldfastBuyerId: 'gst_test',
      HoldfastSellerIds: ['slr_one', 'slr_two'],
      HoldfastPaymentId: 'pay_test',
    },
    summary: `Purchase ${orderId} from 2 sellers`,
    details: 'Placed by a test.',
    limitMs: 5_000,
  })
}

async function result(orderId: OrderId): Promise<CheckoutResult> {
  const { client } = link.connected()
  return client.workflow.getHandle(checkoutWorkflowId(orderId)).result() as Promise<CheckoutResult>
}

async function eventTypes(orderId: OrderId): Promise<readonly string[]> {
  const { events } = await readHistory(link, checkoutWorkflowId(orderId))
  return events.map(({ eventType }) => eventType.replace('EVENT_TYPE_', ''))
}

function resolve(orderId: OrderId, parkSeq: number, action: ParkAction) {
  return updateWorkflow<ResolveParkAnswer>(link, {
    workflowId: checkoutWorkflowId(orderId),
    name: MESSAGES.resolvePark,
    updateId: `resolve-${parkSeq}-${action}`,
    input: { park_seq: parkSeq, action },
    limitMs: 5_000,
  })
}

/**
 * Names the run of a scenario, so that its history is replayed at the end, and recorded on demand.
 */
function scenario(name: string, orderId: OrderId): OrderId {
  runs.set(`checkout-${name}`, checkoutWorkflowId(orderId))
  return orderId
}

async function whenParked(orderId: OrderId, parkSeq: number): Promise<void> {
  await eventually(() => expect(shop.parks(orderId)).toHaveLength(parkSeq))
}

test('a plain purchase costs 13 history events and 2 workflow tasks, started eagerly', async () => {
  const orderId = scenario('plain', shop.order())
  expect(await start(orderId)).toBe('started-eagerly')
  expect(await result(orderId)).toEqual({ state: 'PAID' })
  expect(await eventTypes(orderId)).toEqual([
    'WORKFLOW_EXECUTION_STARTED',
    'WORKFLOW_TASK_SCHEDULED',
    'WORKFLOW_TASK_STARTED',
    'WORKFLOW_TASK_COMPLETED',
    'MARKER_RECORDED',
    'ACTIVITY_TASK_SCHEDULED',
    'ACTIVITY_TASK_STARTED',
    'ACTIVITY_TASK_COMPLETED',
    'WORKFLOW_TASK_SCHEDULED',
    'WORKFLOW_TASK_STARTED',
    'WORKFLOW_TASK_COMPLETED',
    'MARKER_RECORDED',
    'WORKFLOW_EXECUTION_COMPLETED',
  ])
  const { events } = await readHistory(link, checkoutWorkflowId(orderId))
  expect(events[0]?.['workflowExecutionStartedEventAttributes']).toMatchObject({
    eagerExecutionAccepted: true,
  })
})

test('unknown outcomes are looked up again without adding history', async () => {
  const unknown = new OutcomeUnknown('No answer.', {}, { retryAfterMs: 20 })
  const orderId = shop.order({ pay: [unknown, unknown, BUSY, { outcome: 'captured' }] })
  await start(orderId)
  expect(await result(orderId)).toEqual({ state: 'PAID' })
  expect(shop.calls(orderId)).toEqual(['prepare', 'pay', 'pay', 'pay', 'pay', 'finish'])
  expect(await eventTypes(orderId)).toHaveLength(13)
})

test('a second start joins the open run and cannot repeat a closed one', async () => {
  const orderId = shop.order({ pay: [{ outcome: 'waiting', waitsFor: 'review' }] })
  await start(orderId)
  expect(await start(orderId)).toBe('started')
  const done = shop.order()
  await start(done)
  await result(done)
  expect(await start(done)).toBe('over-already')
  expect(shop.calls(done)).toEqual(['prepare', 'pay', 'finish'])
  scenario('cancelled', orderId)
  await link.connected().client.workflow.getHandle(checkoutWorkflowId(orderId)).cancel()
  expect(await result(orderId)).toEqual({ state: 'CANCELLED', reason: 'CANCEL_REQUESTED' })
})

test('I11: a refused purchase is taken back in the opposite order', async () => {
  const refused = scenario(
    'declined',
    shop.order({ pay: [{ outcome: 'refused', reason: 'PAYMENT_DECLINED' }] }),
  )
  await start(refused)
  expect(await result(refused)).toEqual({ state: 'CANCELLED', reason: 'PAYMENT_DECLINED' })
  expect(shop.calls(refused)).toEqual([
    'prepare',
    'pay',
    'voidPayment',
    'releaseHold',
    'endOrder PAYMENT_DECLINED',
  ])
  const soldOut = scenario(
    'sold-out',
    shop.order({ prepare: [{ outcome: 'refused', reason: 'OUT_OF_STOCK' }] }),
  )
  await start(soldOut)
  await result(soldOut)
  expect(shop.calls(soldOut)).toEqual(['prepare', 'releaseHold', 'endOrder OUT_OF_STOCK'])
})

test('a local step that is too short for its time goes on as a regular activity', async () => {
  const orderId = shop.order({ prepare: [BUSY, BUSY, BUSY, { outcome: 'reserved' }] })
  scenario('slow-prepare', orderId)
  await start(orderId)
  expect(await result(orderId)).toEqual({ state: 'PAID' })
  expect(shop.calls(orderId).filter((call) => call === 'prepare')).toHaveLength(4)
})

test('a capture that won against the cancel carries the purchase forward', async () => {
  const orderId = shop.order({
    pay: [{ outcome: 'refused', reason: 'CANCEL_REQUESTED' }, { outcome: 'captured' }],
    voidPayment: ['too-late'],
  })
  scenario('capture-won', orderId)
  await start(orderId)
  expect(await result(orderId)).toEqual({ state: 'PAID' })
  expect(shop.calls(orderId)).toEqual(['prepare', 'pay', 'voidPayment', 'pay', 'finish'])
})

test('a waiting payment is looked at again when a signal says that it moved', async () => {
  const orderId = shop.order({
    pay: [{ outcome: 'waiting', waitsFor: 'buyer-action' }, { outcome: 'captured' }],
  })
  scenario('waited', orderId)
  await start(orderId)
  await eventually(() => expect(shop.calls(orderId)).toContain('pay'))
  const workflowId = checkoutWorkflowId(orderId)
  await signalWorkflow(link, { workflowId, name: MESSAGES.orderMoved, limitMs: 5_000 })
  expect(await result(orderId)).toEqual({ state: 'PAID' })
  expect(shop.calls(orderId)).toEqual(['prepare', 'pay', 'pay', 'finish'])
})

test('a definite failure parks; only a decision about that park moves it', async () => {
  const broken = new IllegalState('PAYMENT_STATE', 'A secret that must not be recorded: 4242')
  const orderId = shop.order({ pay: [broken, { outcome: 'captured' }] })
  scenario('parked-retried', orderId)
  await start(orderId)
  await whenParked(orderId, 1)
  expect(shop.parks(orderId)[0]).toMatchObject({ step: 'pay', reason: 'PAYMENT_STATE' })
  await eventually(async () =>
    expect(await resolve(orderId, 2, 'retry')).toMatchObject({
      kind: 'refused',
      reason: 'PARK_SEQ_MISMATCH',
    }),
  )
  expect(await resolve(orderId, 1, 'retry')).toEqual({
    kind: 'known',
    value: { park_seq: 1, action: 'retry' },
  })
  expect(await result(orderId)).toEqual({ state: 'PAID' })
  const text = JSON.stringify(await readHistory(link, checkoutWorkflowId(orderId)))
  expect(text).not.toContain('4242')
  expect(text).not.toContain('/src/')
  // A repeat of the same decision gets its first answer; another one comes too late.
  expect(await resolve(orderId, 1, 'retry')).toMatchObject({ kind: 'known' })
  expect(await resolve(orderId, 1, 'cancel')).toMatchObject({ reason: WORKFLOW_GONE })
})

test('a parked purchase can be cancelled, and a failed undo parks in its turn', async () => {
  const broken = new IllegalState('PAYMENT_STATE', 'Broken.')
  const orderId = shop.order({ pay: [broken], releaseHold: [broken, 'undone'] })
  scenario('parked-cancelled', orderId)
  await start(orderId)
  await whenParked(orderId, 1)
  await eventually(async () =>
    expect(await resolve(orderId, 1, 'cancel')).toMatchObject({ kind: 'known' }),
  )
  await whenParked(orderId, 2)
  expect(shop.parks(orderId)[1]).toMatchObject({ step: 'release-hold' })
  await eventually(async () =>
    expect(await resolve(orderId, 2, 'cancel')).toMatchObject({
      reason: 'PARK_ACTION_NOT_ALLOWED',
    }),
  )
  const { client } = link.connected()
  const handle = client.workflow.getHandle(checkoutWorkflowId(orderId))
  await eventually(async () => {
    const found = await handle.describe()
    expect(found.typedSearchAttributes.getAll()).toContainEqual({
      key: { name: 'HoldfastParked', type: 'BOOL' },
      value: true,
    })
  })
  const details = await detailsOf(orderId)
  expect(details).toContain('Parked')
  expect(details).toContain('CheckoutService/ResolveParkedOrder')
  expect(details).toContain(`"order_id": "${orderId}",\n  "park_seq": 2`)
  expect(details).toContain('PARK_ACTION_RETRY')
  expect(details).not.toContain('PARK_ACTION_CANCEL')
  await eventually(async () =>
    expect(await resolve(orderId, 2, 'retry')).toMatchObject({ kind: 'known' }),
  )
  expect(await result(orderId)).toEqual({ state: 'CANCELLED', reason: 'CANCEL_REQUESTED' })
})

function detailsOf(orderId: OrderId): Promise<string> {
  const { client } = link.connected()
  const handle = client.workflow.getHandle(checkoutWorkflowId(orderId))
  return handle
    .query<{ currentDetails: string }>('__temporal_workflow_metadata')
    .then(({ currentDetails }) => currentDetails)
}

test('once it is decided the page says no more that an operator has to decide', async () => {
  const broken = new IllegalState('PAYMENT_STATE', 'Broken.')
  const away = new Unavailable('DEPENDENCY_UNAVAILABLE', 'Away.')
  // Five tries take 6 s, in which the page can be looked at.
  const orderId = shop.order({
    pay: [broken, away, away, away, away, away, { outcome: 'captured' }],
  })
  await start(orderId)
  await whenParked(orderId, 1)
  await eventually(async () => expect(await detailsOf(orderId)).toContain('has to decide'))
  await eventually(async () =>
    expect(await resolve(orderId, 1, 'retry')).toMatchObject({ kind: 'known' }),
  )
  const details = await detailsOf(orderId)
  expect(details).toContain('**Now:** step 2 of 3')
  expect(details).not.toContain('park_seq')
  expect(await result(orderId)).toEqual({ state: 'PAID' })
})

function startRefund(orderId: OrderId): Promise<StartAnswer> {
  return startWorkflowEagerly(link, {
    workflowType: WORKFLOW_TYPES.refund,
    workflowId: refundWorkflowId(orderId),
    taskQueue,
    input: { orderId },
    searchAttributes: { HoldfastPaymentId: 'pay_test' },
    summary: `Refund of ${orderId}`,
    details: 'Asked for by a test.',
    limitMs: 5_000,
  })
}

test('a refund costs 13 history events, a refused one waits for an operator', async () => {
  const plain = shop.order()
  await startRefund(plain)
  const { client } = link.connected()
  const of = (orderId: OrderId) => client.workflow.getHandle(refundWorkflowId(orderId))
  expect(await of(plain).result()).toEqual({ state: 'CANCELLED' })
  expect((await readHistory(link, refundWorkflowId(plain))).events).toHaveLength(13)
  const broken = new IllegalState('REFUND_FAILED', 'Refused.')
  const parked = shop.order({ refundPayment: [broken, undefined] })
  await startRefund(parked)
  await whenParked(parked, 1)
  await eventually(async () => {
    const answer = await updateWorkflow(link, {
      workflowId: refundWorkflowId(parked),
      name: MESSAGES.resolvePark,
      updateId: 'park-1',
      input: { park_seq: 1, action: 'retry' },
      limitMs: 5_000,
    })
    expect(answer).toMatchObject({ kind: 'known' })
  })
  expect(await of(parked).result()).toEqual({ state: 'CANCELLED' })
  expect(shop.calls(parked)).toEqual(['refundPayment', 'refundPayment', 'restock', 'finishRefund'])
  runs.set('refund-plain', refundWorkflowId(plain))
  runs.set('refund-parked', refundWorkflowId(parked))
})

test('I20: every run above replays; HOLDFAST_RECORD_HISTORIES=<folder> keeps them', async () => {
  const bundle = await buildWorkflowBundle('checkout')
  const folder = process.env['HOLDFAST_RECORD_HISTORIES']
  expect(runs.size).toBe(11)
  for (const [name, workflowId] of runs) {
    const history = await readHistory(link, workflowId)
    const verdict = await replayHistory({ bundle, history, workflowId, log: SILENT_LOGGER })
    expect([name, verdict]).toEqual([name, { kind: 'same' }])
    if (folder === undefined) continue
    const text = JSON.stringify({ workflowId, history }, null, 2)
    await writeFile(path.join(folder, `${name}.json`), `${text}\n`)
  }
})
