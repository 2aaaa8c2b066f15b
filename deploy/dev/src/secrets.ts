import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DATABASE_ROLES, type DatabaseRole } from '@holdfast/pg'
import { SERVICES, type ServiceName } from './processes.ts'

/** Paths of the generated secrets; contents are read by the processes themselves. */
export interface Secrets {
  readonly folder: string
  serviceKey(service: ServiceName): string
  /** JWKS with the public keys of all services. */
  readonly peerKeys: string
  pageTokenKey(service: ServiceName): string
  vaultKey(service: ServiceName): string
  databasePassword(service: ServiceName, role: DatabaseRole): string
  readonly signingKeys: string
  readonly refreshSecrets: string
  readonly firstOperator: string
  readonly providerKey: string
  readonly webhookSecret: string
  /** How many files this start made; 0 on a folder that was used before. */
  readonly made: number
}

interface PrivateJwk {
  readonly kty: string
  readonly crv: string
  readonly x: string
  readonly d: string
  readonly kid: string
}

/** Bytes of every random secret: the keys of AES-256 and HMAC-SHA-256. */
const SECRET_BYTES = 32

/**
 * Makes what is missing in `<dataFolder>/secrets` (0700, files 0600) and leaves what is there as it
 * is. Fails with the system error when the folder cannot be written.
 */
export function prepareSecrets(dataFolder: string): Secrets {
  const folder = path.join(dataFolder, 'secrets')
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o700)
  let made = 0
  const keep = (name: string, content: () => string): string => {
    const file = path.join(folder, name)
    if (existsSync(file)) return file
    // Renamed into place: a start that is cut off leaves no half of a key.
    writeFileSync(`${file}.new`, `${content()}\n`, { mode: 0o600 })
    renameSync(`${file}.new`, file)
    made += 1
    return file
  }
  const perService = (suffix: string, content: (service: ServiceName) => string) => {
    for (const service of SERVICES) keep(`${service}-${suffix}`, () => content(service))
    return (service: ServiceName) => path.join(folder, `${service}-${suffix}`)
  }
  const serviceKey = perService('service-key.json', (service) =>
    json(newPrivateKey(`${service}.1`)),
  )
  for (const service of SERVICES) {
    for (const role of DATABASE_ROLES) {
      keep(`${service}-database-${role}-password`, () => random('base64url'))
    }
  }
  const files = {
    folder,
    serviceKey,
    peerKeys: writePeerKeys(folder, serviceKey),
    pageTokenKey: perService('page-token-key', () => random('base64')),
    vaultKey: perService('vault-key.json', () =>
      json({ current: 1, keys: [{ version: 1, key: random('base64') }] }),
    ),
    databasePassword: (service: ServiceName, role: DatabaseRole) =>
      path.join(folder, `${service}-database-${role}-password`),
    signingKeys: keep('session-signing-keys.json', () =>
      json({ keys: [newPrivateKey('token.1')] }),
    ),
    refreshSecrets: keep('session-refresh-secrets.json', () =>
      json([{ version: 1, secret: random('base64') }]),
    ),
    firstOperator: keep('first-operator.json', () =>
      json({ email: 'operator@holdfast.example', password: random('base64url') }),
    ),
    providerKey: keep('payment-provider-key', () => random('base64url')),
    webhookSecret: keep('payment-webhook-secret', () => random('base64url')),
  }
  return { ...files, made }
}

/** Written at each start: it says nothing that the services' own keys do not. */
function writePeerKeys(folder: string, serviceKey: (service: ServiceName) => string): string {
  const file = path.join(folder, 'peer-keys.json')
  const keys = SERVICES.map((service) => {
    const { kty, crv, x, kid } = JSON.parse(readFileSync(serviceKey(service), 'utf8')) as PrivateJwk
    return { kty, crv, x, kid }
  })
  writeFileSync(`${file}.new`, `${json({ keys })}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
  return file
}

function newPrivateKey(kid: string): PrivateJwk {
  const { kty, crv, x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { kty: kty ?? '', crv: crv ?? '', x: x ?? '', d: d ?? '', kid }
}

function random(encoding: 'base64' | 'base64url'): string {
  return randomBytes(SECRET_BYTES).toString(encoding)
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
}
