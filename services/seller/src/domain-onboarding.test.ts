import { DAY_MS } from '@holdfast/kernel'
import { newId } from '@holdfast/runtime'
import { expect, test } from 'vitest'
import { type PlanRows, isCalledFor, planOf } from './domain-onboarding.ts'

const NOW = new Date('2026-05-01T12:00:00Z')
const days = (count: number) => new Date(NOW.getTime() + count * DAY_MS)
const requirementId = newId('requirement')

function rows(over: Partial<PlanRows>): PlanRows {
  return {
    seller: { state: 'APPLIED', stateSince: NOW, sellingBlockedBy: [], payoutsBlockedBy: [] },
    requirements: [],
    reminded: new Map(),
    now: NOW,
    ...over,
  }
}

const inState = (state: PlanRows['seller']['state'], stateSince = NOW): PlanRows['seller'] => ({
  state,
  stateSince,
  sellingBlockedBy: [],
  payoutsBlockedBy: [],
})

const requirement = (
  over: Partial<PlanRows['requirements'][number]>,
): PlanRows['requirements'][number] => ({
  requirementId,
  key: 'payout_account',
  state: 'VERIFIED',
  blocks: ['PAYOUTS'],
  dueAt: undefined,
  expiresAt: undefined,
  ...over,
})

test('an applicant is reminded every three days, and the application ends after ninety', () => {
  expect(planOf(rows({}))).toMatchObject({ action: 'remind-seller', dueAt: days(3) })
  const reminded = new Map([['remind-seller', days(3)]] as const)
  expect(planOf(rows({ reminded }))).toMatchObject({ action: 'remind-seller', dueAt: days(6) })
  const late = new Map([['remind-seller', days(88)]] as const)
  expect(planOf(rows({ reminded: late }))).toMatchObject({
    action: 'expire-application',
    dueAt: days(90),
  })
})

test('a reminder from before the present state does not count for it', () => {
  const reminded = new Map([['remind-reviewer', days(-20)]] as const)
  expect(planOf(rows({ seller: inState('IN_REVIEW'), reminded }))).toMatchObject({
    action: 'remind-reviewer',
    dueAt: days(2),
  })
})

test('what was accepted for a time is opened again when that is over', () => {
  const seller = inState('ACTIVE', days(-100))
  const requirements = [requirement({ expiresAt: days(10) })]
  expect(planOf(rows({ seller, requirements }))).toMatchObject({
    action: 'open-renewal',
    subjectId: requirementId,
    dueAt: days(10),
  })
})

test('a dated requirement blocks from its date on, once', () => {
  const seller = inState('ACTIVE', days(-100))
  const requirements = [requirement({ state: 'REQUIRED', dueAt: days(5) })]
  expect(planOf(rows({ seller, requirements }))).toMatchObject({
    action: 'block-capability',
    dueAt: days(5),
  })
  const blocked = { ...seller, payoutsBlockedBy: ['payout_account'] }
  expect(planOf(rows({ seller: blocked, requirements }))).toEqual({
    kind: 'idle',
    waitsFor: 'renewals',
  })
})

test('a seller that was turned away or left has nothing due', () => {
  const requirements = [requirement({ expiresAt: days(1) })]
  expect(planOf(rows({ seller: inState('REJECTED'), requirements })).kind).toBe('idle')
  expect(planOf(rows({ seller: inState('CLOSED'), requirements })).kind).toBe('ended')
})

test('a due action is performed only when the rows call for exactly it and it is time', () => {
  const plan = planOf(rows({}))
  const due = { action: 'remind-seller', subjectId: '', dueAt: days(3) } as const
  expect(isCalledFor(plan, due, days(3))).toBe(true)
  expect(isCalledFor(plan, due, days(2))).toBe(false)
  expect(isCalledFor(plan, { ...due, dueAt: days(2) }, days(4))).toBe(false)
  expect(isCalledFor({ kind: 'ended' }, due, days(4))).toBe(false)
})
