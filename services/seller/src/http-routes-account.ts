import {
  type Account,
  Audience,
  type Membership,
  type Session,
  SellerRole,
  type TokenPair,
} from '@holdfast/proto/session'
import { z } from 'zod'
import { nameOf } from './http-json.ts'
import { type Route, enumInput, route } from './http-route.ts'

const time = z.iso.datetime().optional()

const accountShape = z.object({
  account_id: z.string(),
  email: z.string(),
  display_name: z.string(),
  operator: z.boolean(),
})

const tokensShape = z.object({
  access_token: z.string(),
  access_expire_time: time,
  refresh_token: z.string(),
  refresh_expire_time: time,
})

const sessionShape = z.object({
  session_id: z.string(),
  audience: z.string(),
  seller_id: z.string(),
  role: z.string(),
  expire_time: time,
})

const actAsInput = z
  .strictObject({ audience: enumInput(Audience), seller_id: z.string().default('') })
  .transform(({ audience, seller_id: sellerId }) => ({ audience, sellerId }))

/** Accounts and tokens, handed on to the session service, so that joining needs this door alone. */
export const accountRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/accounts',
    operation: 'registerAccount',
    summary: 'Registers an account; the Idempotency-Key must be a random UUID',
    tag: 'accounts',
    isPublic: true,
    body: z.strictObject({
      email: z.string(),
      password: z.string().describe('12 to 128 characters'),
      display_name: z.string().default(''),
    }),
    status: 201,
    answer: z.object({ account: accountShape }),
    serve: async ({ body }, call) => {
      const { account } = await call.session.registerAccount(
        {
          requestId: call.requestId,
          email: body.email,
          password: body.password,
          displayName: body.display_name,
        },
        call.scope,
      )
      return { body: { account: accountJson(account) } }
    },
  }),
  route({
    method: 'POST',
    path: '/v1/tokens',
    operation: 'logIn',
    summary: 'Logs in, as a buyer, as an operator, or as a member of a seller',
    tag: 'accounts',
    isPublic: true,
    body: z.strictObject({
      email: z.string(),
      password: z.string(),
      act_as: actAsInput.optional(),
      device_name: z.string().default(''),
    }),
    answer: z.object({
      account: accountShape,
      session: sessionShape,
      tokens: tokensShape,
      memberships: z.array(z.object({ seller_id: z.string(), role: z.string() })),
    }),
    serve: async ({ body }, call) => {
      const entered = await call.session.logIn(
        {
          requestId: call.requestId,
          email: body.email,
          password: body.password,
          actAs: body.act_as,
          guestRefreshToken: '',
          deviceName: body.device_name,
        },
        call.scope,
      )
      return {
        body: {
          account: accountJson(entered.account),
          session: sessionJson(entered.session),
          tokens: tokensJson(entered.tokens),
          memberships: entered.memberships.map(membershipJson),
        },
      }
    },
  }),
  route({
    method: 'POST',
    path: '/v1/tokens/refresh',
    operation: 'refreshSession',
    summary: 'Exchanges a refresh token for new tokens, also to act as another identity',
    tag: 'accounts',
    isPublic: true,
    body: z.strictObject({ refresh_token: z.string(), act_as: actAsInput.optional() }),
    answer: z.object({ session: sessionShape, tokens: tokensShape }),
    serve: async ({ body }, call) => {
      const { requestId, scope } = call
      const { session, tokens } = await call.session.refreshSession(
        { requestId, refreshToken: body.refresh_token, actAs: body.act_as },
        scope,
      )
      return { body: { session: sessionJson(session), tokens: tokensJson(tokens) } }
    },
  }),
]

function accountJson(account: Account | undefined): z.input<typeof accountShape> {
  return {
    account_id: account?.accountId ?? '',
    email: account?.email ?? '',
    display_name: account?.displayName ?? '',
    operator: account?.operator ?? false,
  }
}

function sessionJson(session: Session | undefined): z.input<typeof sessionShape> {
  return {
    session_id: session?.sessionId ?? '',
    audience: nameOf(Audience, session?.audience ?? 0),
    seller_id: session?.sellerId ?? '',
    role: nameOf(SellerRole, session?.role ?? 0),
    expire_time: session?.expireTime?.toISOString(),
  }
}

function tokensJson(tokens: TokenPair | undefined): z.input<typeof tokensShape> {
  return {
    access_token: tokens?.accessToken ?? '',
    access_expire_time: tokens?.accessExpireTime?.toISOString(),
    refresh_token: tokens?.refreshToken ?? '',
    refresh_expire_time: tokens?.refreshExpireTime?.toISOString(),
  }
}

function membershipJson({ sellerId, role }: Membership) {
  return { seller_id: sellerId, role: nameOf(SellerRole, role) }
}
