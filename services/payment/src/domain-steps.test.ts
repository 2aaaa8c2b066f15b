import { canMove, HOUR_MS, isTerminal, known, refused, unknown } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isUnresolved, PAYMENT_GRAPH, type PaymentState } from './domain.ts'
import { type Attempt, type Call, type Heard, mergeOutcome, type Want } from './domain-attempt.ts'
import type { IntentSnapshot, ProviderOutcome } from './domain-outcome.ts'
import { advance, attemptsAfter } from './domain-steps.ts'
import { AMOUNT, created, OPENED, START } from '../test/facts.ts'

const KEY_WINDOW_MS = 24 * HOUR_MS

/** What all situations of these tests have in common. */
const AT_START = {
  attempts: [],
  now: START,
  keyWindowMs: KEY_WINDOW_MS,
  find: 'strong',
} as const

/** What the network and the provider do to one call. */
const MODES = [
  'ok',
  'lost_answer',
  'lost_request',
  'late_request',
  'kept_500_after',
  'kept_500_before',
  'not_sent',
  'declined',
  'crash_before',
  'crash_after',
] as const
type Mode = (typeof MODES)[number]

/** A provider in memory, with what Stripe's keys promise, counting what it charged. */
class ModelProvider {
  readonly intents = new Map<string, IntentSnapshot>()
  readonly #answers = new Map<string, ProviderOutcome<IntentSnapshot>>()
  readonly late: (() => void)[] = []
  charges = 0
  captures = 0

  send(call: Call & { kind: 'send' }, intentId: string | null, mode: Mode) {
    const act = () => this.#keyed(`${call.step}:${call.n}`, call.step, intentId, mode)
    if (mode === 'lost_request') return unknown('time-out')
    if (mode === 'not_sent') {
      return refused({ repeat: 'later' as const, code: 'not_connected' }, 'not connected')
    }
    if (mode === 'late_request') {
      this.late.push(() => void act())
      return unknown('time-out')
    }
    const answer = act()
    return mode === 'lost_answer' ? unknown('time-out') : answer
  }

  get(intentId: string | null, mode: Mode): ProviderOutcome<IntentSnapshot> {
    const intent = this.intents.get(intentId ?? '')
    if (mode !== 'ok' || !intent) return unknown('time-out')
    return known(intent)
  }

  find(mode: Mode): ProviderOutcome<readonly IntentSnapshot[]> {
    return mode === 'ok' ? known([...this.intents.values()]) : unknown('time-out')
  }

  #keyed(
    key: string,
    step: string,
    intentId: string | null,
    mode: Mode,
  ): ProviderOutcome<IntentSnapshot> {
    const before = this.#answers.get(key)
    if (before) return before
    const happens = mode !== 'kept_500_before'
    const done = happens ? this.#act(step, intentId, mode === 'declined') : known(OPENED)
    const is500 = mode === 'kept_500_before' || mode === 'kept_500_after'
    const answer = is500 ? { ...unknown('500'), isKeptError: true } : done
    this.#answers.set(key, answer)
    return answer
  }

  #act(step: string, intentId: string | null, declines: boolean): ProviderOutcome<IntentSnapshot> {
    if (step === 'open') return known(this.#put({ ...OPENED, id: `pi_${this.intents.size}` }))
    const intent = this.intents.get(intentId ?? '') as IntentSnapshot
    const wrong = refused({ repeat: 'never' as const, code: intent.state }, 'wrong state')
    if (step === 'confirm') {
      if (intent.state !== 'opened') return wrong
      if (declines) {
        this.#put({ ...intent, state: 'declined' })
        return refused({ repeat: 'other_method' as const, code: 'insufficient_funds' }, 'declined')
      }
      this.charges += 1
      return known(this.#put({ ...intent, state: 'authorized', authorizedMinor: AMOUNT }))
    }
    if (step === 'capture') {
      if (intent.state !== 'authorized') return wrong
      if (declines) return refused({ repeat: 'other_method' as const, code: 'no' }, 'declined')
      this.captures += 1
      return known(this.#put({ ...intent, state: 'captured', capturedMinor: AMOUNT }))
    }
    if (intent.state === 'opened') return known(this.#put({ ...intent, state: 'cancelled' }))
    if (intent.state === 'authorized') return known(this.#put({ ...intent, state: 'voided' }))
    return wrong
  }

  #put(intent: IntentSnapshot): IntentSnapshot {
    this.intents.set(intent.id, intent)
    return intent
  }
}

/** The service around `advance`, as the store keeps it, without a database. */
class ModelPayment {
  facts = created()
  attempts: Attempt[] = []
  readonly history: PaymentState[] = ['CREATED']
  readonly provider = new ModelProvider()

  /** Runs one want to its rest; `modes` says what happens to each call, then all is well. */
  run(want: Want, modes: readonly Mode[]): void {
    const left = [...modes]
    let heard: Heard | undefined
    // More calls than any run needs: a longer one is a loop.
    for (let turn = 0; turn < 20; turn += 1) {
      const next = this.#turn(want, heard)
      if (!next) return
      const mode = left.shift() ?? 'ok'
      if (mode === 'crash_before') return
      const told = this.#ask(next, mode === 'crash_after' ? 'ok' : mode)
      if (mode === 'crash_after') return
      heard = told
    }
    throw new Error('a run that does not end')
  }

  #turn(want: Want, heard: Heard | undefined): Call | undefined {
    const situation = {
      facts: this.facts,
      attempts: this.attempts,
      want,
      now: START,
      keyWindowMs: KEY_WINDOW_MS,
      find: 'strong' as const,
    }
    const result = advance(situation, heard)
    this.attempts = [...attemptsAfter(situation, heard)]
    for (const move of result.moves) {
      const from = this.history.at(-1) as PaymentState
      if (!canMove(PAYMENT_GRAPH, from, move.to)) throw new Error(`${from} > ${move.to}`)
      this.history.push(move.to)
    }
    this.facts = result.facts
    const { next } = result
    if (next?.kind === 'send' && next.isNew) {
      const { step, n } = next
      this.attempts.push({ step, n, firstSentAt: START, outcome: 'in_flight' })
    }
    return next
  }

  #ask(call: Call, mode: Mode): Heard {
    const { intentId } = this.facts
    switch (call.kind) {
      case 'find-open':
        return { kind: 'found', outcome: this.provider.find(mode) }
      case 'get':
        return { kind: 'intent', call, outcome: this.provider.get(intentId, mode) }
      case 'send':
        return { kind: 'intent', call, outcome: this.provider.send(call, intentId, mode) }
    }
  }
}

const modes = fc.array(fc.constantFrom(...MODES), { maxLength: 6 })
const wants = fc.array(
  fc.record({ want: fc.constantFrom<Want>('authorize', 'capture', 'void', 'look'), modes }),
  { maxLength: 8 },
)

test('I2, I9, I10: whatever is lost, late or broken: one charge at most, and a true end', () => {
  fc.assert(
    fc.property(wants, fc.constantFrom<Want>('capture', 'void', 'look'), (steps, last) => {
      const payment = new ModelPayment()
      for (const step of steps) payment.run(step.want, step.modes)
      payment.run(last, [])
      // Healed: what was late arrives, then the payment is looked up.
      for (const arrive of payment.provider.late.splice(0)) arrive()
      payment.run('look', [])
      payment.run('look', [])
      const { facts, provider } = payment
      expect(provider.charges).toBeLessThanOrEqual(1)
      expect(provider.captures).toBeLessThanOrEqual(provider.charges)
      expect(provider.captures === 1).toBe(facts.state === 'CAPTURED')
      expect(facts.version).toBe(BigInt(payment.history.length) + (facts.parkedReason ? 1n : 0n))
      expect(isUnresolved(facts.state) && facts.parkedReason === null).toBe(false)
      const held = [...provider.intents.values()].filter((one) => one.state === 'authorized')
      expect(held.length).toBe(facts.state === 'AUTHORIZED' ? 1 : 0)
    }),
    { numRuns: 5_000 },
  )
})

test('I2: an ended payment stays as it ended, whatever arrives late or is asked', () => {
  fc.assert(
    fc.property(wants, wants, (before, after) => {
      const payment = new ModelPayment()
      for (const step of before) payment.run(step.want, step.modes)
      payment.run('void', [])
      fc.pre(isTerminal(PAYMENT_GRAPH, payment.facts.state))
      const { state, version } = payment.facts
      const { captures } = payment.provider
      for (const arrive of payment.provider.late.splice(0)) arrive()
      for (const step of after) payment.run(step.want, step.modes)
      expect(payment.facts).toMatchObject({ state, version })
      expect(payment.provider.captures).toBe(captures)
    }),
    { numRuns: 2_000 },
  )
})

test('an attempt that may have arrived once is never taken for one that did not', () => {
  const lost = { outcome: 'not_sent', isNew: false } as const
  expect(mergeOutcome('unknown', lost)).toBe('unknown')
  expect(mergeOutcome('kept_error', lost)).toBe('kept_error')
  // The process that sent it ended before it wrote down what it heard.
  expect(mergeOutcome('in_flight', lost)).toBe('unknown')
  expect(mergeOutcome('in_flight', { ...lost, isNew: true })).toBe('not_sent')
  expect(mergeOutcome('not_sent', lost)).toBe('not_sent')
  expect(mergeOutcome('unknown', { outcome: 'known', isNew: false })).toBe('known')
})

test('I2: another amount or currency is never success, and may only be given back', () => {
  const authorizing = { ...created(), state: 'AUTHORIZING' as const, intentId: 'pi' }
  const wrongs = [
    { authorizedMinor: AMOUNT + 1n, currency: 'EUR' },
    { authorizedMinor: AMOUNT, currency: 'USD' },
  ]
  for (const wrong of wrongs) {
    const heard: Heard = {
      kind: 'intent',
      call: { kind: 'get' },
      outcome: known({ ...OPENED, ...wrong, state: 'authorized' }),
    }
    const situation = { ...AT_START, facts: authorizing }
    const looked = advance({ ...situation, want: 'look' }, heard)
    expect(looked.facts).toMatchObject({ state: 'AUTHORIZING', parkedReason: 'AMOUNT_MISMATCH' })
    expect(looked.next).toBeUndefined()
    const voided = advance({ ...situation, want: 'void' }, heard)
    expect(voided.next).toMatchObject({ kind: 'send', step: 'cancel' })
  }
})

test('a cancel that was refused is sent again after an operator retried, once', () => {
  const facts = {
    ...created(),
    state: 'VOIDING' as const,
    intentId: 'pi',
    retriedAt: new Date(START.getTime() + 1),
  }
  const held = known({ ...OPENED, state: 'authorized' as const, authorizedMinor: AMOUNT })
  const heard: Heard = { kind: 'intent', call: { kind: 'get' }, outcome: held }
  const after = (firstSentAt: Date) => {
    const attempt: Attempt = { step: 'cancel', n: 1, firstSentAt, outcome: 'refused' }
    return advance({ ...AT_START, facts, attempts: [attempt], want: 'look' }, heard)
  }
  expect(after(START).next).toMatchObject({ kind: 'send', step: 'cancel', n: 2, isNew: true })
  const stuck = after(new Date(START.getTime() + 2))
  expect(stuck).toMatchObject({ next: undefined, isStuck: true })
  expect(stuck.facts.parkedReason).toBe('REFUSED_FOR_GOOD')
})

test('a key is used again inside its window only', () => {
  const facts = { ...created(), state: 'AUTHORIZING' as const, intentId: 'pi' }
  const attempt: Attempt = { step: 'confirm', n: 1, firstSentAt: START, outcome: 'unknown' }
  const heard: Heard = { kind: 'intent', call: { kind: 'get' }, outcome: known(OPENED) }
  const at = (ageMs: number) => {
    const now = new Date(START.getTime() + ageMs)
    return advance({ ...AT_START, facts, attempts: [attempt], want: 'look', now }, heard).next
  }
  expect(at(0)).toMatchObject({ n: 1, isNew: false })
  expect(at(KEY_WINDOW_MS * 0.9)).toMatchObject({ n: 1, isNew: false })
  expect(at(KEY_WINDOW_MS * 0.9 + 1)).toMatchObject({ n: 2, isNew: true })
})

test('an authorisation is given back before it lapses, an action after 15 minutes', () => {
  const captureBefore = new Date(START.getTime() + HOUR_MS)
  const held = { ...created(), state: 'AUTHORIZED' as const, intentId: 'pi', captureBefore }
  const situation = { ...AT_START, want: 'look' as const }
  expect(advance({ ...situation, facts: held, now: START }).moves).toEqual([
    { to: 'VOIDING', actor: 'CLOCK' },
  ])
  const earlier = new Date(START.getTime() - 1)
  expect(advance({ ...situation, facts: held, now: earlier }).moves).toEqual([])
  const waiting = {
    ...created(),
    state: 'ACTION_REQUIRED' as const,
    intentId: 'pi',
    actionExpiresAt: START,
  }
  const heard: Heard = {
    kind: 'intent',
    call: { kind: 'get' },
    outcome: known({ ...OPENED, state: 'requires_action' }),
  }
  const at = (now: Date) => advance({ ...situation, facts: waiting, now }, heard).next
  expect(at(START)).toMatchObject({ kind: 'send', step: 'cancel' })
  expect(at(earlier)).toBeUndefined()
})
