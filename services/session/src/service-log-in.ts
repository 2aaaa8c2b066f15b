import { type AccountId, Overloaded, type SessionId, Unauthenticated } from '@holdfast/kernel'
import type { RequestKeyOfCall } from '@holdfast/rpc'
import type { ActAs } from './domain.ts'
import { foldEmail, subjectOfEmail } from './domain-email.ts'
import type { Passwords } from './password.ts'
import {
  type RefreshParts,
  forgetCopy,
  proveRefreshToken,
  refreshCopy,
  refuseOldToken,
} from './service-refresh.ts'
import { logInCounter } from './telemetry.ts'

/** What logging in works with. */
export interface LogInParts extends RefreshParts {
  readonly passwords: Passwords
  readonly newSessionId: () => SessionId
  readonly newAccountId: () => AccountId
  /** 16 random bytes. */
  readonly newSalt: () => Uint8Array
}

/** A log-in as asked. */
export interface LogInAsk {
  readonly email: string
  readonly password: string
  readonly actAs: ActAs | undefined
  /** Empty for none. */
  readonly guestRefreshToken: string
  readonly deviceName: string
}

/**
 * Starts an account's session. Unauthenticated CREDENTIALS_REFUSED for an unknown address, a wrong
 * password and a guest token that proves nothing; Overloaded RATE_LIMITED after too many of them.
 */
export async function logIn(parts: LogInParts, key: RequestKeyOfCall, ask: LogInAsk) {
  const { db, store, copies, secrets } = parts
  // A repeat proves the password again: its answer must not be had by a request id alone.
  const accountId = await provePassword(parts, ask)
  const guestSessionId = await proveGuest(parts, ask.guestRefreshToken)
  const done = await store.logIn(db, key, {
    accountId,
    guestSessionId,
    made: {
      sessionId: parts.newSessionId(),
      actAs: ask.actAs ?? { audience: 'BUYER' },
      salt: parts.newSalt(),
      secretVersion: secrets[0].version,
      deviceName: ask.deviceName,
    },
  })
  logInCounter.add(1, { outcome: 'ok' })
  if (done.hasRevoked) parts.onRevoked()
  if (done.endedGuest !== undefined) forgetCopy(copies, done.endedGuest)
  refreshCopy(copies, done.record)
  return done
}

async function provePassword(parts: LogInParts, ask: LogInAsk): Promise<AccountId> {
  const { db, store, passwords } = parts
  const folded = foldEmail(ask.email)
  const subject = subjectOfEmail(folded)
  await countAttempt(parts, subject)
  const known = await store.findPassword(db, folded)
  const isRight = await unlessFull(parts, subject, () =>
    passwords.verify(ask.password, known?.passwordHash),
  )
  if (!isRight || known === undefined) {
    logInCounter.add(1, { outcome: 'refused' })
    throw credentialsRefused()
  }
  await store.forgiveAttempts(db, subject)
  return known.accountId
}

/** Counts an attempt before it is made, so that guesses sent at once do not pass together. */
async function countAttempt(parts: LogInParts, subject: Uint8Array): Promise<void> {
  if (!parts.passwords.hasRoom()) throw tooManyPasswords()
  try {
    await parts.store.beginAttempt(parts.db, subject)
  } catch (error) {
    if (error instanceof Overloaded) logInCounter.add(1, { outcome: 'rate-limited' })
    throw error
  }
}

/** Runs password work; when there is no room for it the attempt was none. */
async function unlessFull<T>(
  parts: LogInParts,
  subject: Uint8Array,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof Overloaded) await parts.store.takeBackAttempt(parts.db, subject)
    throw error
  }
}

async function proveGuest(parts: LogInParts, text: string): Promise<SessionId | undefined> {
  if (text === '') return undefined
  try {
    const token = await proveRefreshToken(parts, text)
    await refuseOldToken(parts, token)
    return token.sessionId
  } catch (error) {
    if (error instanceof Unauthenticated) throw credentialsRefused()
    throw error
  }
}

/**
 * Makes an account. AlreadyExists ACCOUNT_EXISTS for a taken address: without a way to send mail
 * the answer cannot be hidden, so it is made as slow as a log-in and limited like one.
 */
export async function register(
  parts: LogInParts,
  key: RequestKeyOfCall,
  ask: { readonly email: string; readonly password: string; readonly displayName: string },
) {
  const { db, store, passwords } = parts
  const emailFolded = foldEmail(ask.email)
  const subject = subjectOfEmail(`register:${emailFolded}`)
  await countAttempt(parts, subject)
  const passwordHash = await unlessFull(parts, subject, () => passwords.hash(ask.password))
  return store.registerAccount(db, key, {
    accountId: parts.newAccountId(),
    email: ask.email,
    emailFolded,
    displayName: ask.displayName,
    passwordHash,
  })
}

function credentialsRefused(): Unauthenticated {
  return new Unauthenticated(
    'CREDENTIALS_REFUSED',
    'Email address, password or guest token is not right.',
  )
}

function tooManyPasswords(): Overloaded {
  return new Overloaded(
    'OVERLOADED',
    'Too many people log in at once; try again shortly with the same request_id.',
    {},
    { retryAfterMs: 1_000 },
  )
}
