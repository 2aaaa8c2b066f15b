import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { Overloaded } from '@holdfast/kernel'
import {
  PASSWORD_COST,
  PASSWORD_HASH_BYTES,
  PASSWORD_SALT_BYTES,
  type PasswordHash,
  formatPasswordHash,
  parsePasswordHash,
  passwordBytes,
} from './domain-password.ts'
import { observePasswordQueue } from './telemetry.ts'

const runArgon2 = promisify(argon2)

/** Hashes at once: they run on the thread pool, whose other two threads sign and look up names. */
const HASHES_AT_ONCE_MAX = 2

/** Bound on waiting hashes: about 0.7 s of work, less than a log-in's patience. */
const WAITING_MAX = 32

/** Turns passwords into hashes and back, a few at a time. */
export interface Passwords {
  /** True when a further password would be taken at all; no promise. */
  hasRoom(): boolean
  /** The hash to store, in PHC format. Fails with Overloaded when too many wait. */
  hash(password: string): Promise<string>
  /**
   * True when the password made `stored`. Without a stored hash it works as long and says false, so
   * that an unknown account answers no faster. Fails with Overloaded when too many wait.
   */
  verify(password: string, stored: string | undefined): Promise<boolean>
}

/** A bounded pool of argon2id work. */
export function createPasswords(): Passwords {
  const limit = createLimit()
  const nobody = parsePasswordHash(
    formatPasswordHash({
      ...PASSWORD_COST,
      salt: randomBytes(PASSWORD_SALT_BYTES),
      hash: randomBytes(PASSWORD_HASH_BYTES),
    }),
  )
  return {
    hasRoom: () => limit.hasRoom(),
    hash: (password) =>
      limit.run(async () => {
        const salt = randomBytes(PASSWORD_SALT_BYTES)
        const hash = await derive(password, { ...PASSWORD_COST, salt })
        return formatPasswordHash({ ...PASSWORD_COST, salt, hash })
      }),
    verify: (password, stored) =>
      limit.run(async () => {
        const known = stored === undefined ? undefined : parsePasswordHash(stored)
        const wanted = known ?? nobody
        if (wanted === undefined) return false
        const made = await derive(password, wanted)
        return timingSafeEqual(made, wanted.hash) && known !== undefined
      }),
  }
}

function derive(password: string, cost: Omit<PasswordHash, 'hash'>): Promise<Buffer> {
  return runArgon2('argon2id', {
    message: passwordBytes(password),
    nonce: cost.salt,
    memory: cost.memoryKib,
    passes: cost.passes,
    parallelism: cost.parallelism,
    tagLength: PASSWORD_HASH_BYTES,
  })
}

function createLimit() {
  const waiting: (() => void)[] = []
  let running = 0
  observePasswordQueue(() => waiting.length)
  const hasRoom = (): boolean => running < HASHES_AT_ONCE_MAX || waiting.length < WAITING_MAX
  const leave = (): void => {
    // The place goes to the next one directly: a newcomer could otherwise slip in between.
    const next = waiting.shift()
    if (next === undefined) running -= 1
    else next()
  }
  return {
    hasRoom,
    run: async <T>(work: () => Promise<T>): Promise<T> => {
      if (!hasRoom()) throw tooManyPasswords()
      if (running < HASHES_AT_ONCE_MAX) running += 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}

function tooManyPasswords(): Overloaded {
  return new Overloaded(
    'OVERLOADED',
    'Too many people log in at once; try again shortly with the same request_id.',
    {},
    { retryAfterMs: 1_000 },
  )
}
