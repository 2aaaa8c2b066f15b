import {
  type ActAs as ActAsMessage,
  Audience,
  SellerRole,
  type SessionServiceDefinition,
} from '@holdfast/proto/session'
import {
  type RequestSchemas,
  bigintField,
  enumField,
  idField,
  integerField,
  optionalIdField,
  requestIdField,
  textField,
} from '@holdfast/rpc'
import { z } from 'zod'
import type { ActAs, MemberRole } from './domain.ts'
import { EMAIL_LENGTH_MAX, isEmail } from './domain-email.ts'
import { REFRESH_TOKEN_LENGTH_MAX } from './domain-token.ts'

/** A random UUID has 122 random bits; one of another version has fewer or none. */
const RANDOM_UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i
const ANY_UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i
/** 22 characters of base64 hold 132 bits; text of one's own making repeats its characters more. */
const RANDOM_LENGTH_MIN = 22
const DISTINCT_CHARACTERS_MIN = 10

// Who knows the id of an anonymous request gets its answer, so it must be impossible to guess.
const anonymousRequestId = requestIdField.refine(isHardToGuess, {
  message: 'must hold 122 random bits or more, such as a random (version 4) UUID',
})

/** Shortest and longest password, in characters. */
const PASSWORD_LENGTH = { min: 12, max: 128 }

const newPassword = z
  .string()
  .refine((text) => text.isWellFormed() && !text.includes('\u0000'), {
    message: 'must be text',
  })
  .refine((text) => [...text].length >= PASSWORD_LENGTH.min, {
    message: `must have at least ${PASSWORD_LENGTH.min} characters`,
  })
  .refine((text) => [...text].length <= PASSWORD_LENGTH.max, {
    message: `must have at most ${PASSWORD_LENGTH.max} characters`,
  })

const givenPassword = z
  .string()
  .min(1, 'is required')
  .max(PASSWORD_LENGTH.max * 4, 'is too long to be a password')

const email = textField({ min: 3, max: EMAIL_LENGTH_MAX }).refine(isEmail, {
  message: 'must be an email address',
})

const shortText = textField({ min: 0, max: 100 })

const refreshToken = z
  .string()
  .min(1, 'is required')
  .max(REFRESH_TOKEN_LENGTH_MAX, 'is no refresh token')

const optionalRefreshToken = z.string().max(REFRESH_TOKEN_LENGTH_MAX, 'is no refresh token')

const actAsFields = z.object({
  audience: enumField([Audience.BUYER, Audience.SELLER, Audience.OPERATOR]),
  sellerId: optionalIdField('seller'),
})

const actAs = z
  .custom<ActAsMessage | undefined>()
  .transform((given, context): ActAs | undefined => {
    if (given === undefined) return undefined
    const { data, error } = actAsFields.safeParse(given)
    for (const { path, message } of error?.issues ?? []) {
      context.addIssue({ code: 'custom', path, message })
    }
    if (data === undefined) return z.NEVER
    const { audience, sellerId } = data
    if (audience === Audience.SELLER && sellerId !== undefined) {
      return { audience: 'SELLER', sellerId }
    }
    if (audience === Audience.SELLER || sellerId !== undefined) {
      const message = 'must be given for the audience SELLER, and for no other'
      context.addIssue({ code: 'custom', path: ['sellerId'], message })
      return z.NEVER
    }
    return { audience: audience === Audience.OPERATOR ? 'OPERATOR' : 'BUYER' }
  })

const ROLES: ReadonlyMap<number, MemberRole> = new Map([
  [SellerRole.OWNER, 'OWNER'],
  [SellerRole.MANAGER, 'MANAGER'],
  [SellerRole.VIEWER, 'VIEWER'],
])

const role = enumField([SellerRole.OWNER, SellerRole.MANAGER, SellerRole.VIEWER]).transform(
  (value): MemberRole => ROLES.get(value) ?? 'VIEWER',
)

/** Largest account generation, an int4 in the database. */
const GENERATION_MAX = 2n ** 31n - 1n

/** Longest cursor: three numbers and an epoch. */
const CURSOR_LENGTH_MAX = 100

/** The checks of each request, from the wire's form to ids with kinds. */
export const schemas = {
  createGuestSession: z.object({ requestId: anonymousRequestId, deviceName: shortText }),
  registerAccount: z.object({
    requestId: anonymousRequestId,
    email,
    password: newPassword,
    displayName: shortText,
  }),
  logIn: z.object({
    requestId: anonymousRequestId,
    email,
    password: givenPassword,
    actAs,
    guestRefreshToken: optionalRefreshToken,
    deviceName: shortText,
  }),
  refreshSession: z.object({ requestId: requestIdField, refreshToken, actAs }),
  logOut: z.object({ requestId: requestIdField, refreshToken: optionalRefreshToken }),
  revokeAllSessions: z.object({
    requestId: requestIdField,
    accountId: optionalIdField('account'),
  }),
  getSession: z.object({ sessionId: optionalIdField('session') }),
  validateSession: z.object({
    sessionId: idField('session'),
    accountId: optionalIdField('account'),
    accountGeneration: bigintField({ min: 0n, max: GENERATION_MAX }).transform(Number),
  }),
  listRevocations: z.object({
    cursor: z.string().max(CURSOR_LENGTH_MAX, 'must be a cursor of an earlier answer'),
    pageSize: integerField({ min: 0, max: 5_000 }),
  }),
  getKeySet: z.object({}),
  grantMembership: z.object({
    requestId: requestIdField,
    accountId: idField('account'),
    sellerId: idField('seller'),
    role,
  }),
} satisfies RequestSchemas<SessionServiceDefinition>

function isHardToGuess(requestId: string): boolean {
  if (ANY_UUID.test(requestId)) return RANDOM_UUID.test(requestId)
  if (requestId.length < RANDOM_LENGTH_MIN) return false
  return new Set(requestId).size >= DISTINCT_CHARACTERS_MIN
}
