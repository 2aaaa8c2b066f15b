import { HOUR_MS, idFromUuid, known, refused, unknown } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isUnresolved, REFUND_RETRY, type RefundFacts, refundParkedActions } from './domain.ts'
import type { Attempt } from './domain-attempt.ts'
import type { ProviderOutcome, RefundSnapshot } from './domain-outcome.ts'
import {
  advanceRefund,
  attemptsHeard,
  type RefundCall,
  type RefundHeard,
  type RefundSituation,
} from './domain-refund.ts'

const UUID = '00000000-0000-7000-8000-000000000000'
const START = new Date('2026-03-01T12:00:00Z')
const KEY_WINDOW_MS = 24 * HOUR_MS

function requested(): RefundFacts {
  return {
    refundId: idFromUuid('refund', UUID),
    paymentId: idFromUuid('payment', UUID),
    state: 'REQUESTED',
    version: 1n,
    currency: 'EUR',
    amountMinor: 700n,
    providerRefundId: null,
    parkedReason: null,
    stateSince: START,
    lookCount: 0,
    retryCount: 0,
    retriedAt: null,
  }
}

function snapshot(state: RefundSnapshot['state'], amountMinor = 700n): RefundSnapshot {
  return { id: 're_1', refundRef: 'rfd', state, currency: 'EUR', amountMinor }
}

function situation(changes: Partial<RefundSituation>): RefundSituation {
  return {
    facts: requested(),
    attempts: [],
    now: START,
    keyWindowMs: KEY_WINDOW_MS,
    find: 'strong',
    ...changes,
  }
}

const MODES = [
  'ok',
  'lost_answer',
  'lost_request',
  'late',
  'kept_500',
  'not_sent',
  'declined',
  'crash',
] as const
type Mode = (typeof MODES)[number]

/** A provider that would refund twice for two keys: only the service's care prevents it. */
class ModelProvider {
  readonly refunds: RefundSnapshot[] = []
  readonly late: (() => void)[] = []
  readonly #keys = new Map<number, ProviderOutcome<RefundSnapshot>>()

  send(n: number, mode: Mode): ProviderOutcome<RefundSnapshot> {
    if (mode === 'lost_request') return unknown('time-out')
    if (mode === 'declined') return this.#decline(n)
    if (mode === 'not_sent') return refused({ repeat: 'later', code: 'refused' }, 'refused')
    if (mode === 'late') {
      this.late.push(() => void this.#act(n, 'ok'))
      return unknown('time-out')
    }
    const answer = this.#act(n, mode)
    return mode === 'lost_answer' ? unknown('time-out') : answer
  }

  #decline(n: number): ProviderOutcome<RefundSnapshot> {
    const before = this.#keys.get(n)
    const answer = before ?? refused({ repeat: 'never' as const, code: 'declined' }, 'refused')
    this.#keys.set(n, answer)
    return answer
  }

  #act(n: number, mode: Mode): ProviderOutcome<RefundSnapshot> {
    const before = this.#keys.get(n)
    if (before) return before
    const made = snapshot('succeeded')
    this.refunds.push(made)
    const answer = mode === 'kept_500' ? { ...unknown('500'), isKeptError: true } : known(made)
    this.#keys.set(n, answer)
    return answer
  }
}

class ModelRefund {
  facts = requested()
  attempts: Attempt[] = []
  readonly provider = new ModelProvider()
  #nowMs = START.getTime()

  /** As the store does it; false when nothing is parked that may be retried. */
  retry(): boolean {
    const { state, version, parkedReason, retryCount } = this.facts
    if (parkedReason === null || !refundParkedActions(this.facts).includes('RETRY')) return false
    this.facts = {
      ...this.facts,
      state: REFUND_RETRY[state] ?? state,
      version: version + 1n,
      parkedReason: null,
      retryCount: retryCount + 1,
      retriedAt: this.#tick(),
    }
    return true
  }

  #tick(): Date {
    this.#nowMs += 1
    return new Date(this.#nowMs)
  }

  run(modes: readonly Mode[]): void {
    const left = [...modes]
    let heard: RefundHeard | undefined
    for (let turn = 0; turn < 20; turn += 1) {
      const next = this.#turn(heard)
      const mode = left.shift() ?? 'ok'
      if (!next || mode === 'crash') return
      heard = { call: next, outcome: this.#ask(next, mode) }
    }
    throw new Error('a run that does not end')
  }

  #turn(heard: RefundHeard | undefined): RefundCall | undefined {
    const now = situation({ facts: this.facts, attempts: this.attempts })
    const { facts, next } = advanceRefund(now, heard)
    this.facts = facts
    this.attempts = [...attemptsHeard(now, heard).attempts]
    if (next?.kind === 'send' && next.isNew) {
      this.attempts.push({
        step: 'refund',
        n: next.n,
        firstSentAt: this.#tick(),
        outcome: 'in_flight',
      })
    }
    return next
  }

  #ask(call: RefundCall, mode: Mode): ProviderOutcome<RefundSnapshot | undefined> {
    if (call.kind === 'send') return this.provider.send(call.n, mode)
    return mode === 'ok' ? known(this.provider.refunds[0]) : unknown('time-out')
  }
}

test('I2, I9: whatever is lost or late, a refund is made once and its end is true', () => {
  const unasked = MODES.filter((mode) => mode !== 'declined')
  const runs = fc.array(fc.array(fc.constantFrom(...unasked), { maxLength: 6 }), { maxLength: 6 })
  fc.assert(
    fc.property(runs, (steps) => {
      const refund = new ModelRefund()
      for (const modes of steps) refund.run(modes)
      for (const arrive of refund.provider.late.splice(0)) arrive()
      refund.run([])
      refund.run([])
      expect(refund.provider.refunds).toHaveLength(1)
      expect(refund.facts).toMatchObject({ state: 'SUCCEEDED', parkedReason: null })
      expect(isUnresolved(refund.facts.state)).toBe(false)
    }),
    { numRuns: 3_000 },
  )
})

test('I2, I9: an operator who retries at any time never has a refund made twice', () => {
  const steps = fc.record({
    modes: fc.array(fc.constantFrom(...MODES), { maxLength: 6 }),
    isRetried: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(steps, { maxLength: 8 }), (turns) => {
      const refund = new ModelRefund()
      for (const { modes, isRetried } of turns) {
        refund.run(modes)
        if (isRetried) refund.retry()
        expect(refund.provider.refunds.length).toBeLessThanOrEqual(1)
      }
      for (const arrive of refund.provider.late.splice(0)) arrive()
      refund.run([])
      if (refund.retry()) refund.run([])
      refund.run([])
      expect(refund.provider.refunds).toHaveLength(1)
      expect(refund.facts).toMatchObject({ state: 'SUCCEEDED', parkedReason: null })
    }),
    { numRuns: 3_000 },
  )
})

test('I2: a retried refund is looked up before anything is sent, then goes under a new key', () => {
  const facts = {
    ...requested(),
    state: 'SENDING' as const,
    retryCount: 1,
    retriedAt: new Date(START.getTime() + 1),
  }
  const attempts: Attempt[] = [{ step: 'refund', n: 1, firstSentAt: START, outcome: 'refused' }]
  expect(advanceRefund(situation({ facts, attempts })).next).toEqual({ kind: 'find' })
  const find: RefundCall = { kind: 'find' }
  const lost = { call: find, outcome: unknown('time-out') }
  expect(advanceRefund(situation({ facts, attempts }), lost).next).toBeUndefined()
  const none = { call: find, outcome: known(undefined) }
  const sent = advanceRefund(situation({ facts, attempts }), none)
  expect(sent.next).toEqual({ kind: 'send', n: 2, isNew: true })
  // A find that may be late proves nothing.
  const eventual = advanceRefund(situation({ facts, attempts, find: 'eventual' }), none)
  expect(eventual.next).toBeUndefined()
  // Refused since the retry because it exists, and yet not found: nothing is sent.
  const later = [{ ...attempts[0], firstSentAt: new Date(START.getTime() + 2) } as Attempt]
  const odd = advanceRefund(situation({ facts, attempts: later }), none)
  expect(odd).toMatchObject({ next: undefined, facts: { parkedReason: 'UNEXPECTED_STATE' } })
})

test('I2: a refund that the provider says it has is not sent again, however often retried', () => {
  const sending = { ...requested(), state: 'SENDING' as const }
  const first: Attempt = { step: 'refund', n: 1, firstSentAt: START, outcome: 'in_flight' }
  const exists = refused({ repeat: 'never' as const, code: 'refund_exists' }, 'refused')
  const send: RefundCall = { kind: 'send', n: 1, isNew: true }
  const heard = { call: send, outcome: exists }
  const asked = situation({ facts: sending, attempts: [first] })
  expect(advanceRefund(asked, heard).next).toEqual({ kind: 'find' })
  const { attempts } = attemptsHeard(asked, heard)
  const none: RefundHeard = { call: { kind: 'find' }, outcome: known(undefined) }
  for (const retryCount of [0, 1, 2]) {
    const retriedAt = retryCount === 0 ? null : new Date(START.getTime() + retryCount)
    const facts = { ...sending, retryCount, retriedAt }
    expect(advanceRefund(situation({ facts, attempts })).next).toEqual({ kind: 'find' })
    const parked = advanceRefund(situation({ facts, attempts }), none)
    expect(parked).toMatchObject({ next: undefined, facts: { parkedReason: 'UNEXPECTED_STATE' } })
    const there = { ...none, outcome: known(snapshot('succeeded')) }
    const found = advanceRefund(situation({ facts, attempts }), there)
    expect(found.facts).toMatchObject({ state: 'SUCCEEDED', parkedReason: null })
  }
})

test('each retry brings one key more than the five', () => {
  const attempts: Attempt[] = [{ step: 'refund', n: 5, firstSentAt: START, outcome: 'kept_error' }]
  const none: RefundHeard = { call: { kind: 'find' }, outcome: known(undefined) }
  const sending = { ...requested(), state: 'SENDING' as const }
  const over = advanceRefund(situation({ facts: sending, attempts }), none)
  expect(over.facts.parkedReason).toBe('ATTEMPTS_EXHAUSTED')
  const retried = { ...sending, retryCount: 1, retriedAt: START }
  const again = advanceRefund(situation({ facts: retried, attempts }), none)
  expect(again.next).toMatchObject({ kind: 'send', n: 6 })
})

test('a key past its window is replaced only after a strong find that found nothing', () => {
  const facts = { ...requested(), state: 'SENDING' as const }
  const attempts: Attempt[] = [{ step: 'refund', n: 1, firstSentAt: START, outcome: 'unknown' }]
  const now = new Date(START.getTime() + KEY_WINDOW_MS)
  const heard: RefundHeard = { call: { kind: 'find' }, outcome: known(undefined) }
  const strong = advanceRefund(situation({ facts, attempts, now }), heard)
  expect(strong.next).toMatchObject({ kind: 'send', n: 2, isNew: true })
  const eventual = advanceRefund(situation({ facts, attempts, now, find: 'eventual' }), heard)
  expect(eventual.next).toBeUndefined()
  expect(eventual.facts.parkedReason).toBe('REFUND_OWED')
})

test('a refusal, another amount and a returned refund are parked: the buyer is still owed', () => {
  const sending = { ...requested(), state: 'SENDING' as const }
  const send: RefundCall = { kind: 'send', n: 1, isNew: true }
  const never = refused({ repeat: 'never' as const, code: 'amount' }, 'refused')
  const refusedFor = advanceRefund(situation({ facts: sending }), { call: send, outcome: never })
  expect(refusedFor.facts).toMatchObject({ state: 'FAILED', parkedReason: 'REFUND_OWED' })
  const other = known(snapshot('succeeded', 701n))
  const wrong = advanceRefund(situation({ facts: sending }), { call: send, outcome: other })
  expect(wrong.facts).toMatchObject({ state: 'SENDING', parkedReason: 'AMOUNT_MISMATCH' })
  const done = { ...requested(), state: 'SUCCEEDED' as const }
  const find: RefundCall = { kind: 'find' }
  const back = { call: find, outcome: known(snapshot('failed')) }
  const returned = advanceRefund(situation({ facts: done }), back)
  expect(returned.facts).toMatchObject({ state: 'FAILED', parkedReason: 'REFUND_OWED' })
})
