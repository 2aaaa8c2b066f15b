import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Forbidden, type StockItemId, Unavailable, present } from '@holdfast/kernel'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { InventoryServiceDefinition, type StockItem } from '@holdfast/proto/inventory'
import {
  Audience,
  type LogInRequest,
  SellerRole,
  SessionServiceDefinition,
} from '@holdfast/proto/session'
import {
  type AccessTable,
  type Authenticator,
  type Caller,
  type RequestSchemas,
  type RpcHandlers,
  type RpcServer,
  type RpcServiceDefinition,
  startRpcServer,
} from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import type { TestCallers } from '@holdfast/testkit'
import { z } from 'zod'

/** A peer whose methods a test plays; what it does not play answers like a peer that is away. */
async function startPeer<S extends RpcServiceDefinition>(
  definition: S,
  authenticator: Authenticator,
  played: Partial<RpcHandlers<S, RequestSchemas<S>>>,
): Promise<RpcServer> {
  const names = Object.keys(definition.methods)
  const away = async () => {
    throw new Unavailable('DEPENDENCY_UNAVAILABLE', 'This test plays no such method.')
  }
  const each = (make: (name: string) => unknown) =>
    Object.fromEntries(names.map((name) => [name, make(name)]))
  return startRpcServer({
    host: '127.0.0.1',
    port: 0,
    definition,
    schemas: each(() => z.any()) as unknown as RequestSchemas<S>,
    access: each(() => ({
      allow: ['anonymous', 'service'],
      class: 'browse',
    })) as unknown as AccessTable<S>,
    handlers: each((name) => played[name as keyof S['methods']] ?? away) as never,
    authenticator,
    secret: new Uint8Array(32),
    isReady: () => true,
    descriptors: await readFile(DESCRIPTOR_SET_PATH),
    clock: systemClock,
    log: SILENT_LOGGER,
  })
}

/** Inventory as a test plays it. */
export interface PlayedInventory extends AsyncDisposable {
  readonly address: string
  /** What it answers for each item. */
  readonly items: Map<StockItemId, StockItem>
  /** True lets every call fail as when the service is away. */
  isAway: boolean
  /** Calls of GetAvailability so far that were answered. */
  callCount: number
  /** Those that failed because it is away. */
  refusedCount: number
}

/** Starts an inventory without items. */
export async function playInventory(callers: TestCallers): Promise<PlayedInventory> {
  const counts = { callCount: 0, refusedCount: 0 }
  const played = { items: new Map<StockItemId, StockItem>(), isAway: false, ...counts }
  const server = await startPeer(InventoryServiceDefinition, callers.authenticator, {
    getAvailability: async (request) => {
      const { itemIds } = request as { readonly itemIds: readonly StockItemId[] }
      if (played.isAway) {
        played.refusedCount += 1
        throw new Unavailable('DEPENDENCY_UNAVAILABLE', 'Away for this test.')
      }
      played.callCount += 1
      return {
        items: itemIds.flatMap((id) => played.items.get(id) ?? []),
        missingItemIds: itemIds.filter((id) => !played.items.has(id)),
        asOfTime: systemClock.now(),
      }
    },
  })
  return Object.assign(played, {
    address: server.address,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  })
}

/** Session as a test plays it: accounts in memory, tokens that the service under test accepts. */
export interface PlayedSession extends AsyncDisposable {
  readonly address: string
  /** Owners granted, by seller, with how often each was asked for. */
  readonly owners: Map<string, { readonly accountId: string; count: number }>
  /** So many next calls of GrantMembership fail. */
  grantFailures: number
}

/** Starts a session service without accounts. */
export async function playSession(callers: TestCallers): Promise<PlayedSession> {
  const played = {
    owners: new Map<string, { readonly accountId: string; count: number }>(),
    grantFailures: 0,
  }
  const accounts = new Map<string, ReturnType<typeof newAccount>>()
  const server = await startPeer(SessionServiceDefinition, callers.authenticator, {
    registerAccount: async (request) => {
      const { email } = request as { readonly email: string }
      const account = accounts.get(email) ?? newAccount(email)
      accounts.set(email, account)
      return { account }
    },
    logIn: async (request) => {
      const { email, actAs } = request as LogInRequest
      const account = present(accounts.get(email), 'an account of this test')
      const caller = callerFor(account.accountId, actAs, played.owners)
      return {
        session: undefined,
        tokens: tokensOf(callers.tokenFor(caller)),
        account,
        memberships: [...played.owners]
          .filter(([, owner]) => owner.accountId === account.accountId)
          .map(([sellerId]) => membership(account.accountId, sellerId)),
      }
    },
    grantMembership: async (request) => {
      const { accountId, sellerId } = request as Readonly<Record<'accountId' | 'sellerId', string>>
      if (played.grantFailures > 0) {
        played.grantFailures -= 1
        throw new Unavailable('DEPENDENCY_UNAVAILABLE', 'Away for this test.')
      }
      const count = (played.owners.get(sellerId)?.count ?? 0) + 1
      played.owners.set(sellerId, { accountId, count })
      return { membership: membership(accountId, sellerId) }
    },
  })
  return Object.assign(played, {
    address: server.address,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  })
}

function newAccount(email: string) {
  return {
    accountId: newId('account'),
    email,
    displayName: '',
    operator: false,
    version: 1n,
    createTime: systemClock.now(),
    updateTime: systemClock.now(),
  }
}

function callerFor(
  accountId: ReturnType<typeof newAccount>['accountId'],
  actAs: LogInRequest['actAs'],
  owners: PlayedSession['owners'],
): Caller {
  const sessionId = newId('session')
  if (actAs?.audience !== Audience.SELLER) {
    return { kind: 'buyer', sessionId, accountId, guestId: undefined }
  }
  const { sellerId } = actAs
  if (owners.get(sellerId)?.accountId !== accountId) {
    throw new Forbidden('ROLE_REQUIRED', 'The account is no member of this seller.')
  }
  return { kind: 'seller', sessionId, accountId, sellerId: sellerId as never, role: 'owner' }
}

function tokensOf(accessToken: string) {
  const at = systemClock.now()
  return {
    accessToken,
    accessExpireTime: at,
    refreshToken: randomUUID(),
    refreshExpireTime: at,
  }
}

function membership(accountId: string, sellerId: string) {
  return {
    accountId,
    sellerId,
    role: SellerRole.OWNER,
    version: 1n,
    createTime: systemClock.now(),
    updateTime: systemClock.now(),
  }
}
