import { z } from 'zod'
import {
  addressListSetting,
  addressSetting,
  integerSetting,
  jsonFileSetting,
  secretFileSetting,
  urlSetting,
} from './env.ts'

/** Settings of a process that uses its service's database. */
export const databaseSettings = {
  /** postgres://role@host:port/database, without the password. */
  DATABASE_URL: urlSetting('postgres:', 'postgresql:'),
  DATABASE_PASSWORD_FILE: secretFileSetting,
  /** Connections at most; more than ten gains nothing on two cores. */
  DATABASE_CONNECTIONS_MAX: integerSetting({ min: 1, max: 50 }).default(8),
}

/** Settings of every process: where operators look, how much is logged, which environment it is. */
export const processSettings = {
  OPERATIONS_ADDRESS: addressSetting,
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  /** Tokens of another environment are refused. */
  ENVIRONMENT: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .default('development'),
}

/** A secret of at least 32 bytes in base64, in a file. */
export const secretBytesFileSetting = secretFileSetting.transform((text, context) => {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length >= 32) return new Uint8Array(bytes)
  context.addIssue({ code: 'custom', message: 'names a file with fewer than 32 bytes in base64' })
  return z.NEVER
})

/** Settings of a process that calls other services: its own key, and the peers' public keys. */
export const identitySettings = {
  SERVICE_KEY_FILE: jsonFileSetting,
  PEER_KEYS_FILE: jsonFileSetting,
}

/** Settings of a process that serves gRPC, beside the identity. */
export const serverSettings = {
  LISTEN_ADDRESS: addressSetting,
  /** Signs page tokens and request hashes; the same in all copies. */
  PAGE_TOKEN_KEY_FILE: secretBytesFileSetting,
}

/** Where the copies of a peer are. */
export const peerSetting = addressListSetting

/** Where NATS is. */
export const natsSetting = urlSetting('nats:', 'tls:')
