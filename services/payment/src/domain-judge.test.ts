import { HOUR_MS, known, unknown } from '@holdfast/kernel'
import { expect, test } from 'vitest'
import { type Attempt, type Call, nextLookMs } from './domain-attempt.ts'
import type { IntentSnapshot, ProviderOutcome } from './domain-outcome.ts'
import { advance } from './domain-steps.ts'
import { created, OPENED, START } from '../test/facts.ts'

const FIND_OPEN: Call = { kind: 'find-open' }

/** What a look at a payment in CREATED makes of what was found, after an open that ended so. */
function lookAtCreated(about: {
  readonly outcome: Attempt['outcome']
  readonly find?: 'strong' | 'eventual'
  readonly retriedAt?: Date | null
  readonly found?: ProviderOutcome<readonly IntentSnapshot[]>
}) {
  const { outcome, find = 'strong', retriedAt = START, found } = about
  const facts = { ...created(), retryCount: 1, retriedAt }
  const attempts: readonly Attempt[] = [{ step: 'open', n: 1, firstSentAt: START, outcome }]
  const situation = {
    now: START,
    keyWindowMs: 24 * HOUR_MS,
    facts,
    attempts,
    want: 'look' as const,
    find,
  }
  return advance(situation, found && { kind: 'found', outcome: found })
}

test('I2: a payment retried in CREATED is searched for before anything is opened', () => {
  for (const outcome of ['refused', 'known', 'kept_error', 'unknown'] as const) {
    expect(lookAtCreated({ outcome }).next).toEqual(FIND_OPEN)
    expect(lookAtCreated({ outcome, retriedAt: null }).next).toBeUndefined()
    const lost = lookAtCreated({ outcome, found: unknown('time-out') })
    expect(lost).toMatchObject({ next: undefined, facts: { parkedReason: null } })
    expect(nextLookMs(lost.facts, START)).toBe(1_000)
    const found = lookAtCreated({ outcome, found: known([OPENED]) })
    expect(found).toMatchObject({ next: undefined, facts: { state: 'OPENED', intentId: 'pi' } })
    const wrong = lookAtCreated({ outcome, found: known([{ ...OPENED, currency: 'USD' }]) })
    expect(wrong).toMatchObject({ next: undefined, facts: { parkedReason: 'AMOUNT_MISMATCH' } })
  }
  expect(nextLookMs(created(), START)).toBeNull()
})

test('I2: a payment retried in CREATED is opened again only after a strong find', () => {
  for (const [outcome, reason] of [
    ['refused', 'REFUSED_FOR_GOOD'],
    ['known', 'UNEXPECTED_STATE'],
    ['kept_error', 'UNEXPECTED_STATE'],
  ] as const) {
    const none = known([])
    const sent = lookAtCreated({ outcome, found: none }).next
    expect(sent).toEqual({ kind: 'send', step: 'open', n: 2, isNew: true })
    const late = lookAtCreated({ outcome, find: 'eventual', found: none })
    expect(late).toMatchObject({ next: undefined, facts: { parkedReason: reason } })
  }
  // The key of an open question opens once, however often it is sent.
  const again = lookAtCreated({ outcome: 'unknown', find: 'eventual', found: known([]) }).next
  expect(again).toEqual({ kind: 'send', step: 'open', n: 1, isNew: false })
})
