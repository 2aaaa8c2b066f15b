import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import {
  type TemporalTracing,
  type WorkflowBundleCode,
  type WorkflowEntry,
  buildWorkflowBundle,
  replayHistory,
} from '@holdfast/temporal'
import { expect, test } from 'vitest'

const FOLDER = path.join(import.meta.dirname, 'histories')

/** Which workflows a recorded file belongs to, by the first word of its name. */
const ENTRIES: Readonly<Record<string, WorkflowEntry>> = {
  checkout: 'checkout',
  refund: 'checkout',
  onboarding: 'seller',
}

interface Recorded {
  readonly workflowId: string
  readonly history: { readonly events: readonly { readonly eventType: string }[] }
}

function recorded(name: string): Recorded {
  return JSON.parse(readFileSync(path.join(FOLDER, `${name}.json`), 'utf8')) as Recorded
}

function entryOf(name: string): WorkflowEntry {
  const entry = ENTRIES[name.split('-')[0] ?? '']
  if (entry === undefined) throw new Error(`No workflow for ${name}`)
  return entry
}

function verdictOf(bundle: WorkflowBundleCode, name: string) {
  return replayHistory({ bundle, log: SILENT_LOGGER, ...recorded(name) })
}

/** The bundle with texts exchanged; each must stand in it, or the mutant proves nothing. */
function mutate(
  bundle: WorkflowBundleCode,
  exchanges: readonly (readonly [string, string])[],
): WorkflowBundleCode {
  let { code } = bundle
  for (const [from, to] of exchanges) {
    expect(code).toContain(from)
    code = code.replaceAll(from, to)
  }
  return { code }
}

const names = readdirSync(FOLDER).map((file) => path.basename(file, '.json'))

test('the recorded set has every way a purchase can go', () => {
  expect(names.toSorted()).toEqual([
    'checkout-cancelled',
    'checkout-capture-won',
    'checkout-declined',
    'checkout-parked-cancelled',
    'checkout-parked-retried',
    'checkout-plain',
    'checkout-slow-prepare',
    'checkout-sold-out',
    'checkout-waited',
    'onboarding-reminded',
    'refund-parked',
    'refund-plain',
  ])
})

test.each(names)('I20: %s replays', async (name) => {
  expect(await verdictOf(await buildWorkflowBundle(entryOf(name)), name)).toEqual({ kind: 'same' })
})

/** Spans that go nowhere: what counts is that the interceptors run. */
const TRACING = {
  resource: { attributes: {} },
  spanProcessor: {
    onStart: () => undefined,
    onEnd: () => undefined,
    forceFlush: async () => undefined,
    shutdown: async () => undefined,
  },
} as unknown as TemporalTracing

test.each(names)('I20: %s replays with tracing switched on', async (name) => {
  const bundle = await buildWorkflowBundle(entryOf(name), TRACING)
  const replay = { bundle, log: SILENT_LOGGER, tracing: TRACING, ...recorded(name) }
  expect(await replayHistory(replay)).toEqual({ kind: 'same' })
})

test('a plain purchase stays within 13 events and 2 workflow tasks', () => {
  const { events } = recorded('checkout-plain').history
  expect(events.length).toBeLessThanOrEqual(13)
  const tasks = events.filter(({ eventType }) => eventType.endsWith('WORKFLOW_TASK_SCHEDULED'))
  expect(tasks.length).toBeLessThanOrEqual(2)
})

test('planted: a reordered activity is found', async () => {
  const bundle = await buildWorkflowBundle('checkout')
  const reordered = mutate(bundle, [
    ['local.prepare(input)', 'local.planted(input)'],
    ['local.finish(input)', 'local.prepare(input)'],
    ['local.planted(input)', 'local.finish(input)'],
  ])
  expect(await verdictOf(reordered, 'checkout-plain')).toMatchObject({ kind: 'different' })
})

test('planted: undo in the order of the steps is found', async () => {
  const bundle = await buildWorkflowBundle('checkout')
  const forwards = mutate(bundle, [
    ['undos.at(-1)', 'undos.at(0)'],
    ['undos.pop()', 'undos.shift()'],
  ])
  expect(await verdictOf(forwards, 'checkout-declined')).toMatchObject({ kind: 'different' })
})
