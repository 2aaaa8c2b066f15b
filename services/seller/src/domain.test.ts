import { canMove } from '@holdfast/kernel'
import { newId } from '@holdfast/runtime'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  REQUIREMENT_GRAPH,
  type Requirement,
  type RequirementState,
  SELLER_GRAPH,
  type SellerState,
  blocksOf,
  isMet,
  isOpen,
  legalNameKey,
  stateAfter,
} from './domain.ts'

const SELLER_STATES = Object.keys(SELLER_GRAPH) as SellerState[]
const REQUIREMENT_STATES = Object.keys(REQUIREMENT_GRAPH) as RequirementState[]
const NOW = new Date('2026-05-01T12:00:00Z')
const LATER = new Date('2026-06-01T12:00:00Z')
const EARLIER = new Date('2026-04-01T12:00:00Z')

const SELLER_EDGES = new Set([
  'APPLIED>IN_REVIEW',
  'APPLIED>CLOSED',
  'IN_REVIEW>INFO_NEEDED',
  'IN_REVIEW>ACTIVE',
  'IN_REVIEW>REJECTED',
  'INFO_NEEDED>IN_REVIEW',
  'INFO_NEEDED>CLOSED',
  'ACTIVE>SUSPENDED',
  'ACTIVE>CLOSING',
  'REJECTED>IN_REVIEW',
  'REJECTED>CLOSED',
  'SUSPENDED>ACTIVE',
  'SUSPENDED>CLOSING',
  'CLOSING>CLOSED',
])

const REQUIREMENT_EDGES = new Set([
  'REQUIRED>SUBMITTED',
  'SUBMITTED>VERIFIED',
  'SUBMITTED>REJECTED',
  'REJECTED>SUBMITTED',
  'VERIFIED>EXPIRED',
  'EXPIRED>SUBMITTED',
  'WAIVED>EXPIRED',
  ...REQUIREMENT_STATES.map((state) => `${state}>WAIVED`),
])

test('I10: a seller moves along fourteen edges and no other pair of states', () => {
  const pairs = SELLER_STATES.flatMap((from) => SELLER_STATES.map((to) => ({ from, to })))
  expect(pairs).toHaveLength(64)
  for (const { from, to } of pairs) {
    const edge = `${from}>${to}`
    const isEdge = canMove<SellerState>(SELLER_GRAPH, from, to)
    expect([edge, isEdge]).toEqual([edge, SELLER_EDGES.has(edge)])
  }
})

test('I10: a requirement moves along its edges and no other pair of states', () => {
  const pairs = REQUIREMENT_STATES.flatMap((from) => REQUIREMENT_STATES.map((to) => ({ from, to })))
  expect(pairs).toHaveLength(36)
  for (const { from, to } of pairs) {
    const edge = `${from}>${to}`
    const isEdge = canMove<RequirementState>(REQUIREMENT_GRAPH, from, to)
    expect([edge, isEdge]).toEqual([edge, REQUIREMENT_EDGES.has(edge)])
  }
})

function requirement(over: Partial<Requirement>): Requirement {
  return {
    requirementId: newId('requirement'),
    sellerId: newId('seller'),
    key: 'tax_identity',
    family: 'ATTESTED',
    state: 'REQUIRED',
    version: 1n,
    blocks: ['SELLING', 'PAYOUTS'],
    policyVersion: 1,
    fields: [],
    reviewReason: '',
    dueAt: undefined,
    expiresAt: undefined,
    createdAt: EARLIER,
    updatedAt: EARLIER,
    ...over,
  }
}

test('a capability is blocked by the state and by each requirement of it that is not met', () => {
  const payouts = requirement({ key: 'payout_account', blocks: ['PAYOUTS'] })
  expect(blocksOf('ACTIVE', [], NOW)).toEqual({ sellingBlockedBy: [], payoutsBlockedBy: [] })
  expect(blocksOf('ACTIVE', [payouts], NOW)).toEqual({
    sellingBlockedBy: [],
    payoutsBlockedBy: ['payout_account'],
  })
  expect(blocksOf('SUSPENDED', [requirement({ state: 'VERIFIED' }), payouts], NOW)).toEqual({
    sellingBlockedBy: ['state'],
    payoutsBlockedBy: ['state', 'payout_account'],
  })
})

test('a requirement that is due later does not block yet, an acceptance that is over does', () => {
  const blocked = (over: Partial<Requirement>) =>
    blocksOf('ACTIVE', [requirement(over)], NOW).sellingBlockedBy.length > 0
  expect(blocked({ dueAt: LATER })).toBe(false)
  expect(blocked({ dueAt: EARLIER })).toBe(true)
  expect(blocked({ state: 'VERIFIED', expiresAt: LATER })).toBe(false)
  expect(blocked({ state: 'VERIFIED', expiresAt: EARLIER })).toBe(true)
  expect(blocked({ state: 'WAIVED', expiresAt: LATER })).toBe(false)
  expect(isMet(requirement({ state: 'WAIVED', expiresAt: EARLIER }), NOW)).toBe(false)
})

test('I10: wherever the requirements lead a seller is an edge of its graph', () => {
  const requirements = fc.array(
    fc.constantFrom(...REQUIREMENT_STATES).map((state) => requirement({ state })),
    { maxLength: 6 },
  )
  fc.assert(
    fc.property(fc.constantFrom(...SELLER_STATES), requirements, (state, all) => {
      const after = stateAfter(state, all)
      const isEdge = canMove<SellerState>(SELLER_GRAPH, state, after)
      expect(after === state || isEdge).toBe(true)
      expect(stateAfter(after, all)).toBe(after)
      expect(after === 'IN_REVIEW' && all.some(isOpen)).toBe(false)
    }),
  )
})

test('two spellings of one name in law are one name', () => {
  expect(legalNameKey('Müller  GmbH ')).toBe(legalNameKey('MU\u0308LLER GmbH'))
  expect(legalNameKey('Ｍüller GmbH')).toBe(legalNameKey('müller gmbh'))
  expect(legalNameKey('Müller AG')).not.toBe(legalNameKey('Müller GmbH'))
})
