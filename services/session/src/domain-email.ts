import { createHash } from 'node:crypto'
import { domainToASCII } from 'node:url'

/** Longest address (RFC 5321, section 4.5.3.1.3, without the angle brackets). */
export const EMAIL_LENGTH_MAX = 254

/** Longest part before the at sign (RFC 5321, section 4.5.3.1.1). */
const LOCAL_PART_LENGTH_MAX = 64

/**
 * True for `local@domain.tld`: one at sign, no spaces, no quoted part, a domain that resolves to
 * ASCII.
 */
export function isEmail(text: string): boolean {
  if (text.length > EMAIL_LENGTH_MAX) return false
  const match = /^([^\s@"(),:;<>[\\\]]+)@([^\s@]+)$/u.exec(text)
  const [, local = '', domain = ''] = match ?? []
  if (local === '' || local.length > LOCAL_PART_LENGTH_MAX) return false
  if (local.startsWith('.') || local.endsWith('.') || local.includes('..')) return false
  return /^([a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{0,62}$/.test(domainToASCII(domain))
}

/**
 * The form in which two spellings of one address are equal: compatibility characters unified, case
 * folded, domain in ASCII. Idempotent.
 */
export function foldEmail(email: string): string {
  const at = email.lastIndexOf('@')
  const local = foldCase(email.slice(0, at).normalize('NFKC')).normalize('NFKC')
  return `${local}@${domainToASCII(email.slice(at + 1).normalize('NFKC'))}`
}

/** 32 bytes that stand for a folded address where the address itself must not be kept. */
export function subjectOfEmail(folded: string): Uint8Array {
  return createHash('sha256').update(folded, 'utf8').digest()
}

/** Upper case first: "ß" and "SS" differ in lower case alone. */
function foldCase(text: string): string {
  return text.toUpperCase().toLowerCase()
}
