import { assert, canMove } from '@holdfast/kernel'
import {
  type Actor,
  PAYMENT_GRAPH,
  type ParkReason,
  type PaymentFacts,
  type PaymentState,
} from './domain.ts'
import {
  type Advance,
  type Attempt,
  type Call,
  hasKeyLeft,
  type Move,
  type Situation,
  type Step,
  type Want,
  WINDOW_SHARE,
} from './domain-attempt.ts'

/** What follows a turn: plan again, rest, or ask the provider. */
export type Follow = 'plan' | 'rest' | Call

/** A payment while one decision about it is made; what comes of it is written as a whole. */
export class Draft {
  readonly situation: Situation
  facts: PaymentFacts
  readonly moves: Move[] = []
  /** What was heard cannot be acted on: only a person helps, and a repeat brings the same. */
  isStuck = false

  constructor(situation: Situation) {
    this.situation = situation
    this.facts = situation.facts
  }

  get want(): Want {
    return this.situation.want
  }

  /** Moves along the graph; another move is a bug. Ends a park, since the payment goes on. */
  move(to: PaymentState, actor: Actor, changes: Partial<PaymentFacts> = {}): void {
    assert(canMove(PAYMENT_GRAPH, this.facts.state, to), `${this.facts.state} may become ${to}`)
    this.moves.push({ to, actor })
    this.facts = {
      ...this.facts,
      ...changes,
      state: to,
      version: this.facts.version + 1n,
      stateSince: this.situation.now,
      lookCount: 0,
      parkedReason: null,
    }
  }

  /** Marks the payment as one that a person must look at. */
  park(reason: ParkReason): 'rest' {
    this.isStuck = true
    if (this.facts.parkedReason === null) {
      this.facts = { ...this.facts, parkedReason: reason, version: this.facts.version + 1n }
    }
    return 'rest'
  }

  /** The newest attempt of a step. */
  last(step: Step): Attempt | undefined {
    const own = this.situation.attempts.filter((attempt) => attempt.step === step)
    return own.reduce<Attempt | undefined>((a, b) => (a && a.n > b.n ? a : b), undefined)
  }

  /** A new key for the step, or the park when too many were used up. */
  fresh(step: Step): Follow {
    const n = (this.last(step)?.n ?? 0) + 1
    if (!hasKeyLeft(n, this.facts)) return this.park('ATTEMPTS_EXHAUSTED')
    return { kind: 'send', step, n, isNew: true }
  }

  /**
   * The step again, after a look showed that it has had no effect so far. The same key while the
   * provider remembers it, since the first call may still be on its way; a new one after that,
   * which is safe because an intent is confirmed, captured and cancelled at most once.
   */
  again(step: Step): Follow {
    const last = this.last(step)
    // An answered key repeats its answer for ever; only an open question may be asked again under
    // it.
    if (!last || !isOpenQuestion(last)) return this.fresh(step)
    const ageMs = this.situation.now.getTime() - last.firstSentAt.getTime()
    if (ageMs > this.situation.keyWindowMs * WINDOW_SHARE) return this.fresh(step)
    return { kind: 'send', step, n: last.n, isNew: false }
  }

  /** What came of it. */
  end(next: Call | undefined, isRefused = false): Advance {
    const { facts, moves, isStuck } = this
    return { facts, moves, next, isRefused, isStuck }
  }
}

function isOpenQuestion(attempt: Attempt): boolean {
  const { outcome } = attempt
  return outcome === 'in_flight' || outcome === 'not_sent' || outcome === 'unknown'
}
