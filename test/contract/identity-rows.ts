import { generateKeyPairSync } from 'node:crypto'
import {
  createUserTokenSigner,
  parsePrivateJwk,
  SERVICE_NAMES,
  type ServiceName,
  type UserTokenSubject,
} from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { CODE, type Row, wants } from './row.ts'

/** Tokens that must open nothing at a service, by what is wrong with them. */
export type WrongTokens = Readonly<Record<string, string>>

/** What wrong tokens are made with. */
export interface TokenMint {
  /** The private JWK that signs users' tokens. */
  readonly signingKey: unknown
  /** The name of the deployment. */
  readonly environment: string
  serviceToken(from: ServiceName, to: ServiceName): Promise<string>
}

/** Longer than a token lives, with the skew of two clocks. */
const LONG_AGO_MS = 30 * 60_000

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Makes the wrong tokens for one service. */
export async function wrongTokens(mint: TokenMint, service: ServiceName): Promise<WrongTokens> {
  const subject: UserTokenSubject = {
    actAs: 'guest',
    sessionId: newId('session'),
    guestId: newId('guest'),
  }
  const now = systemClock.now()
  const longAgo = new Date(now.getTime() - LONG_AGO_MS)
  const later = new Date(now.getTime() + LONG_AGO_MS)
  const { environment } = mint
  const privateJwk = parsePrivateJwk(mint.signingKey)
  const ours = createUserTokenSigner({ privateJwk, environment })
  const sign = async (signer: typeof ours, at: Date) => (await signer.sign(subject, at)).token
  const valid = await sign(ours, now)
  const [, payload = '', signature = ''] = valid.split('.')
  const under = (header: { readonly alg: string; readonly typ: string }): string =>
    `${base64({ ...header, kid: privateJwk.kid })}.${payload}.${signature}`
  const stranger = { ...newJwk(), kid: privateJwk.kid }
  const others = SERVICE_NAMES.filter((name) => name !== service)
  const [from = service, to = service] = others
  return {
    expired: await sign(ours, longAgo),
    'not yet valid': await sign(ours, later),
    'wrong signature': await sign(
      createUserTokenSigner({ privateJwk: parsePrivateJwk(stranger), environment }),
      now,
    ),
    'alg none': under({ alg: 'none', typ: 'at+jwt' }),
    'alg of a shared secret': under({ alg: 'HS256', typ: 'at+jwt' }),
    'changed payload': `${valid.split('.')[0]}.${base64({ aud: 'operator' })}.${signature}`,
    'wrong environment': await sign(
      createUserTokenSigner({ privateJwk, environment: `not-${environment}` }),
      now,
    ),
    'a service token for another service': await mint.serviceToken(from, to),
    'a kind of another token': under({ alg: 'EdDSA', typ: 'service+jwt' }),
    'no signature': valid.split('.').slice(0, 2).join('.'),
  }
}

function newJwk(): object {
  return generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
}

/** A row for each wrong token. */
export function identityRows(tokens: WrongTokens, valid: Uint8Array): Row[] {
  return Object.entries(tokens).map(([name, bearer]) => ({
    class: 'identity',
    name,
    call: { messages: [valid], bearer },
    check: wants(
      [CODE.unauthenticated],
      name === 'expired' ? ['TOKEN_EXPIRED'] : ['TOKEN_INVALID'],
    ),
  }))
}
