import { createHmac, timingSafeEqual } from 'node:crypto'
import { InvalidInput } from '@holdfast/kernel'

/** What a page token is bound to: it is worthless to another caller, RPC or filter. */
export interface PageScope {
  readonly principal: string
  readonly method: string
  /** Canonical text of the list's filter. */
  readonly filter: string
}

/** How long a page token is good for, ms. */
const PAGE_TOKEN_LIFE_MS = 24 * 3_600_000

/** Makes and reads the opaque tokens of lists (AIP-158), signed and bound to caller and filter. */
export function createPageTokens(secret: Uint8Array): {
  seal(lastKey: string, scope: PageScope, nowMs: number): string
  open(token: string, scope: PageScope, nowMs: number): string | undefined
} {
  const key = createHmac('sha256', secret).update('page-token').digest()
  const sign = (payload: string, scope: PageScope): Buffer =>
    createHmac('sha256', key)
      .update(JSON.stringify([payload, scope.principal, scope.method, scope.filter]))
      .digest()
  return {
    seal: (lastKey, scope, nowMs) => {
      const payload = JSON.stringify([lastKey, nowMs + PAGE_TOKEN_LIFE_MS])
      const signature = sign(payload, scope).toString('base64url')
      return `${Buffer.from(payload).toString('base64url')}.${signature}`
    },
    open: (token, scope, nowMs) => {
      if (token === '') return undefined
      const [encoded = '', signature = ''] = token.split('.')
      const payload = Buffer.from(encoded, 'base64url').toString('utf8')
      const given = Buffer.from(signature, 'base64url')
      const wanted = sign(payload, scope)
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw badToken()
      const [lastKey, expiresAtMs] = JSON.parse(payload) as [string, number]
      if (expiresAtMs < nowMs) throw badToken()
      return lastKey
    },
  }
}

function badToken(): InvalidInput {
  return new InvalidInput(
    'Use the page_token of the last answer, with the same filter.',
    [{ field: 'page_token', description: 'is not a token of this list, or is too old' }],
    'PAGE_TOKEN_INVALID',
  )
}
