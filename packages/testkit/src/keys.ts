import { generateKeyPairSync } from 'node:crypto'
import type { PrivateJwk } from '@holdfast/rpc'

/** A new private key of this name, as a service or the session service signs with. */
export function newPrivateJwk(kid: string): PrivateJwk {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { kty: 'OKP', crv: 'Ed25519', kid, x: String(x), d: String(d) }
}
