import type { SessionServiceDefinition } from '@holdfast/proto/session'
import type { AccessTable } from '@holdfast/rpc'

/** Calls that prove themselves by what they carry: a password, a refresh token, a random id. */
const proof = { allow: ['anonymous'], ignoresToken: true } as const

/** Who may call each RPC, and what is shed last under load. */
export const access = {
  createGuestSession: { ...proof, class: 'cart-write' },
  registerAccount: { ...proof, class: 'browse', secretFields: ['password'] },
  logIn: { ...proof, class: 'checkout', secretFields: ['password'] },
  refreshSession: { ...proof, class: 'pay' },
  logOut: { allow: ['anonymous', 'buyer', 'seller', 'operator'], class: 'checkout' },
  revokeAllSessions: { allow: ['account', 'seller', 'operator'], class: 'checkout' },
  getSession: { allow: ['buyer', 'seller', 'operator'], class: 'browse' },
  validateSession: { allow: ['service'], class: 'pay' },
  listRevocations: { allow: ['service'], class: 'pay' },
  getKeySet: { ...proof, class: 'pay' },
  grantMembership: { allow: ['service:seller'], class: 'checkout' },
} satisfies AccessTable<SessionServiceDefinition>
