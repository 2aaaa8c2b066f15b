import { Forbidden, NotFound, Unauthenticated, idFromUuid } from '@holdfast/kernel'
import type { CartServiceDefinition } from '@holdfast/proto/cart'
import { expect, test } from 'vitest'
import {
  type AccessTable,
  type Audience,
  PRIORITY_CLASSES,
  isAllowed,
  requireAccess,
  requireSeller,
} from './access.ts'
import { ANONYMOUS, type Caller, principalsOf } from './caller.ts'

const uuid = '01890000-0000-7000-8000-000000000001'
const sessionId = idFromUuid('session', uuid)
const accountId = idFromUuid('account', uuid)
const guestId = idFromUuid('guest', uuid)
const sellerId = idFromUuid('seller', uuid)
const member = { kind: 'seller', sessionId, accountId, sellerId } as const

const CALLERS = {
  anonymous: ANONYMOUS,
  guest: { kind: 'buyer', sessionId, accountId: undefined, guestId },
  account: { kind: 'buyer', sessionId, accountId, guestId: undefined },
  owner: { ...member, role: 'owner' },
  viewer: { ...member, role: 'viewer' },
  operator: { kind: 'operator', sessionId, accountId },
  cart: { kind: 'service', service: 'cart' },
} as const satisfies Record<string, Caller>

/** Whom each audience lets in, and nobody else. */
const LETS_IN: readonly (readonly [Audience, readonly (keyof typeof CALLERS)[]])[] = [
  ['anonymous', ['anonymous']],
  ['buyer', ['guest', 'account']],
  ['account', ['account']],
  ['seller', ['owner', 'viewer']],
  ['seller:owner', ['owner']],
  ['seller:manager', []],
  ['seller:viewer', ['viewer']],
  ['operator', ['operator']],
  ['service', ['cart']],
  ['service:cart', ['cart']],
  ['service:checkout', []],
]

test.each(LETS_IN)('I24: %s lets in %j and nobody else', (audience, names) => {
  const entries = Object.entries(CALLERS)
  const letIn = entries.filter(([, caller]) => isAllowed(caller, [audience])).map(([name]) => name)
  expect(letIn).toEqual(names)
})

test('who is not let in is told to log in, to get a role, or to act as somebody else', () => {
  const row = { allow: ['seller:owner'], class: 'browse' } as const
  expect(() => requireAccess(ANONYMOUS, row)).toThrow(Unauthenticated)
  expect(() => requireAccess(CALLERS.viewer, row)).toThrow(
    expect.objectContaining({ reason: 'ROLE_REQUIRED' }),
  )
  expect(() => requireAccess(CALLERS.guest, row)).toThrow(Forbidden)
  expect(() => requireAccess(CALLERS.owner, row)).not.toThrow()
})

test("I17: another seller's member meets a seller that does not exist", () => {
  const other = idFromUuid('seller', uuid.replace('1', '2'))
  expect(() => requireSeller(CALLERS.owner, sellerId)).not.toThrow()
  expect(() => requireSeller(CALLERS.owner, other)).toThrow(NotFound)
  for (const caller of [CALLERS.guest, CALLERS.account, ANONYMOUS]) {
    expect(() => requireSeller(caller, sellerId)).toThrow(NotFound)
  }
  for (const caller of [CALLERS.cart, CALLERS.operator]) {
    expect(() => requireSeller(caller, other)).not.toThrow()
  }
})

test('I17: callers of different kinds never share a name for their request ids', () => {
  const both: Caller = { kind: 'buyer', sessionId, accountId, guestId }
  expect(principalsOf(both)).toEqual([`account:${accountId}`, `guest:${guestId}`])
  expect(principalsOf(CALLERS.guest)).toEqual([`guest:${guestId}`])
  const names = [ANONYMOUS, CALLERS.guest, CALLERS.account, CALLERS.owner, CALLERS.cart].map(
    (caller) => principalsOf(caller)[0],
  )
  expect(new Set(names).size).toBe(names.length)
})

test('I24: a table that lacks an RPC, or has one too many, does not compile', () => {
  const row = { allow: ['buyer'], class: 'browse' } as const
  type Table = AccessTable<typeof CartServiceDefinition>
  const whole: Table = {
    getCart: row,
    addLine: row,
    setLineQuantity: row,
    removeLine: row,
    claimForCheckout: row,
    releaseClaim: row,
    completeClaim: row,
  }
  const { getCart: _, ...rest } = whole
  // @ts-expect-error A row is missing.
  const short: Table = rest
  // @ts-expect-error There is no such RPC.
  const long: Table = { ...whole, emptyCart: row }
  // @ts-expect-error There is no such class.
  const odd: Table = { ...whole, getCart: { allow: [], class: 'first' } }
  // @ts-expect-error There is no such audience.
  const open: Table = { ...whole, getCart: { allow: ['everybody'], class: 'pay' } }
  // @ts-expect-error A class is no option.
  const bare: Table = { ...whole, getCart: { allow: [] } }
  expect([short, long, odd, open, bare]).toHaveLength(5)
  expect(PRIORITY_CLASSES).toEqual(['pay', 'checkout', 'cart-write', 'browse', 'report'])
})
