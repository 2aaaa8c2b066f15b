import { randomUUIDv7 } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { type SellerId, idFromUuid } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually as eventuallyWithin } from '@holdfast/testkit'
import {
  MESSAGES,
  type MessageName,
  type OnboardingActivities,
  type OnboardingDueInput,
  type OnboardingPlan,
  WORKFLOW_TYPES,
  sellerWorkflowId,
} from '@holdfast/workflows/contract'
import { expect, onTestFinished, test } from 'vitest'
import {
  type TemporalLink,
  buildWorkflowBundle,
  connectTemporal,
  createTemporalWorker,
  guardActivities,
  readHistory,
  replayHistory,
  signalWithStart,
} from '../src/index.ts'

const taskQueue = `seller-${randomUUIDv7()}`

function eventually(check: () => void): Promise<void> {
  return eventuallyWithin(check, { withinMs: 15_000 })
}

/** A seller's rows as the workflow sees them: what comes next, and what was performed. */
function sellerRows() {
  const state: { plan: OnboardingPlan; performed: OnboardingDueInput[]; reads: number } = {
    plan: { kind: 'idle', waitsFor: 'documents' },
    performed: [],
    reads: 0,
  }
  const activities: OnboardingActivities = {
    planOnboarding: async () => {
      state.reads += 1
      return state.plan
    },
    performDue: async (due) => {
      state.performed.push(due)
      state.plan = { kind: 'idle', waitsFor: 'the seller' }
    },
  }
  return { state, activities }
}

function poke(link: TemporalLink, sellerId: SellerId, signal: MessageName): Promise<void> {
  const start = {
    workflowType: WORKFLOW_TYPES.onboarding,
    workflowId: sellerWorkflowId(sellerId),
    taskQueue,
    input: { sellerId },
    searchAttributes: { HoldfastSellerIds: [sellerId] },
    summary: `Seller ${sellerId}`,
    details: 'Timers, reminders and reviews.',
    limitMs: 5_000,
  }
  return signalWithStart(link, start, signal)
}

async function replayAndRecord(link: TemporalLink, workflowId: string): Promise<void> {
  const bundle = await buildWorkflowBundle('seller')
  const history = await readHistory(link, workflowId)
  const verdict = await replayHistory({ bundle, history, workflowId, log: SILENT_LOGGER })
  expect(verdict).toEqual({ kind: 'same' })
  const folder = process.env['HOLDFAST_RECORD_HISTORIES']
  if (folder === undefined) return
  const text = JSON.stringify({ workflowId, history }, null, 2)
  await writeFile(path.join(folder, 'onboarding-reminded.json'), `${text}\n`)
}

test('a seller is reminded when it is due, woken by signals, rebuilt by the sweep', async () => {
  const link = await connectTemporal({
    address: backing().temporalAddress,
    namespace: 'default',
    clock: systemClock,
    log: SILENT_LOGGER,
    identity: 'onboarding-test',
  })
  onTestFinished(async () => link[Symbol.asyncDispose]())
  const { state, activities } = sellerRows()
  const worker = createTemporalWorker({
    link,
    entry: 'seller',
    taskQueue,
    activities: guardActivities(activities, { log: SILENT_LOGGER }),
    onFatal: (error) => {
      throw error
    },
  })
  onTestFinished(async () => worker[Symbol.asyncDispose]())
  const sellerId = idFromUuid('seller', randomUUIDv7())
  await poke(link, sellerId, MESSAGES.sellerSubmitted)
  await eventually(() => expect(state.reads).toBeGreaterThan(0))
  state.plan = {
    kind: 'due',
    waitsFor: 'documents',
    action: 'remind-seller',
    subjectId: 'rqm_one',
    dueAt: '2026-01-01T00:00:00.000Z',
    dueInMs: 50,
  }
  await poke(link, sellerId, MESSAGES.sellerReviewed)
  await eventually(() => expect(state.performed).toHaveLength(1))
  expect(state.performed[0]).toMatchObject({ sellerId, action: 'remind-seller' })
  state.plan = { kind: 'ended' }
  await poke(link, sellerId, MESSAGES.sellerDecided)
  const handle = link.connected().client.workflow.getHandle(sellerWorkflowId(sellerId))
  await handle.result()
  await replayAndRecord(link, sellerWorkflowId(sellerId))
  const readsBefore = state.reads
  await poke(link, sellerId, MESSAGES.sellerSubmitted)
  await eventually(() => expect(state.reads).toBeGreaterThan(readsBefore))
})
