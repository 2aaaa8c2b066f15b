import { randomUUID } from 'node:crypto'
import { Audience, SellerRole, type SessionServiceDefinition } from '@holdfast/proto/session'
import { logInOf, named, newAccount, newBuyer } from './makers.ts'
import type { Samples } from './sample.ts'
import type { World } from './world.ts'

/** One valid request for each RPC of SessionService. */
export const sessionSamples: Samples<World, SessionServiceDefinition> = {
  createGuestSession: {
    caller: 'anonymous',
    prepare: async () => ({ request: { ...named(), deviceName: 'phone' } }),
    change: (request) => ({ ...request, deviceName: 'tablet' }),
  },
  registerAccount: {
    caller: 'anonymous',
    prepare: async () => ({
      request: {
        ...named(),
        email: `${randomUUID()}@example.test`,
        password: 'correct horse battery staple',
        displayName: 'Sam',
      },
    }),
    change: (request) => ({ ...request, displayName: 'Kim' }),
  },
  logIn: {
    caller: 'anonymous',
    prepare: async (world) => ({ request: logInOf(await newAccount(world)) }),
    change: (request) => ({ ...request, deviceName: 'tablet' }),
    answersCurrent: true,
  },
  refreshSession: {
    caller: 'anonymous',
    prepare: async (world) => {
      const { refreshToken } = await newBuyer(world)
      return { request: { ...named(), refreshToken, actAs: undefined } }
    },
    change: (request) => ({ ...request, actAs: { audience: Audience.BUYER, sellerId: '' } }),
  },
  logOut: {
    caller: 'anonymous',
    prepare: async (world) => {
      const { refreshToken } = await newBuyer(world)
      return { request: { ...named(), refreshToken } }
    },
    // Its key is the session's own, and the session is all it names.
    hasOneContent: true,
  },
  revokeAllSessions: {
    caller: 'operator',
    prepare: async (world) => {
      const { accountId } = await newBuyer(world)
      return { request: { ...named(), accountId } }
    },
    change: async (request, world) => ({
      ...request,
      accountId: (await newBuyer(world)).accountId,
    }),
  },
  getSession: {
    caller: 'account',
    prepare: async (world) => {
      const { bearer, sessionId } = await newBuyer(world)
      return { request: { sessionId }, bearer }
    },
  },
  validateSession: {
    caller: 'service:cart',
    prepare: async (world) => {
      const { sessionId, accountId } = await newBuyer(world)
      return { request: { sessionId, accountId, accountGeneration: 0n } }
    },
    // What is not alive is an answer, not a mistake.
    openIds: ['sessionId', 'accountId'],
  },
  listRevocations: {
    caller: 'service:cart',
    prepare: async () => ({ request: { cursor: '', pageSize: 10 } }),
  },
  getKeySet: {
    caller: 'anonymous',
    prepare: async () => ({ request: {} }),
  },
  grantMembership: {
    caller: 'service:seller',
    prepare: async (world) => {
      const { accountId } = await newAccount(world)
      const sellerId = world.sellerOf('owner')
      return { request: { ...named(), accountId, sellerId, role: SellerRole.VIEWER } }
    },
    change: (request) => ({ ...request, role: SellerRole.MANAGER }),
    // Sellers are another service's to know.
    openIds: ['sellerId'],
  },
}
