/** Cost of one hash: 19 MiB and 2 passes, the OWASP floor for argon2id, about 45 ms here. */
export const PASSWORD_COST = { memoryKib: 19_456, passes: 2, parallelism: 1 } as const

/** Bytes of the hash and of its salt. */
export const PASSWORD_HASH_BYTES = 32
export const PASSWORD_SALT_BYTES = 16

/** Bound on what a stored hash may ask for, so that a bad row cannot stop the service. */
const MEMORY_KIB_MAX = 65_536
const PASSES_MAX = 10

/** A password's hash with all that is needed to make it again. */
export interface PasswordHash {
  readonly memoryKib: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Uint8Array
  readonly hash: Uint8Array
}

/** PHC string format, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. */
export function formatPasswordHash(of: PasswordHash): string {
  const parameters = `m=${of.memoryKib},t=${of.passes},p=${of.parallelism}`
  return `$argon2id$v=19$${parameters}$${base64(of.salt)}$${base64(of.hash)}`
}

/** The parts of a stored hash, or undefined for a text that is none or asks for too much. */
export function parsePasswordHash(text: string): PasswordHash | undefined {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=1\$([\w+/]+)\$([\w+/]+)$/.exec(text)
  if (match === null) return undefined
  const [, memory, passes, salt = '', hash = ''] = match
  const parsed = {
    memoryKib: Number(memory),
    passes: Number(passes),
    parallelism: 1,
    salt: Buffer.from(salt, 'base64'),
    hash: Buffer.from(hash, 'base64'),
  }
  const isBounded = parsed.memoryKib <= MEMORY_KIB_MAX && parsed.passes <= PASSES_MAX
  return isBounded && parsed.hash.length === PASSWORD_HASH_BYTES ? parsed : undefined
}

/** The password as it is hashed: one form for all ways to type the same characters (RFC 8265). */
export function passwordBytes(password: string): Uint8Array {
  return Buffer.from(password.normalize('NFC'), 'utf8')
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replaceAll('=', '')
}
