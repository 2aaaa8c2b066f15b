import {
  type Environment,
  databaseSettings,
  identitySettings,
  jsonFileSetting,
  natsSetting,
  processSettings,
  readEnvironment,
  serverSettings,
  urlSetting,
} from '@holdfast/runtime'
import { z } from 'zod'

const PREFIX = 'HOLDFAST_SESSION_'

/**
 * Secrets in use at once: the present one, and earlier ones until the sessions made by them end.
 */
const SECRETS_MAX = 10

const sharedShape = {
  ...processSettings,
  ...databaseSettings,
  NATS_URL: natsSetting,
  /** Left out, sessions are read from Postgres alone. */
  REDIS_URL: urlSetting('redis:', 'rediss:').optional(),
}

const secretShape = z.object({
  version: z.int().min(1).max(2_147_483_647),
  secret: z
    .base64()
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64')))
    .refine((bytes) => bytes.length >= 32, { message: 'must be at least 32 bytes in base64' }),
})

const refreshSecretsSetting = jsonFileSetting.pipe(
  z
    .array(secretShape)
    .min(1)
    .max(SECRETS_MAX)
    .refine((list) => new Set(list.map(({ version }) => version)).size === list.length, {
      message: 'must not name a version twice',
    }),
)

const serverShape = {
  ...sharedShape,
  ...identitySettings,
  ...serverSettings,
  /** JWKS of private signing keys; the first signs, the others are still believed. */
  SIGNING_KEYS_FILE: jsonFileSetting,
  /** [{ version, secret }]; the first makes refresh tokens, the others recognise theirs. */
  REFRESH_SECRETS_FILE: refreshSecretsSetting,
}

const jobsShape = {
  ...sharedShape,
  /** { email, password } of the operator to make when there is none yet. */
  FIRST_OPERATOR_FILE: jsonFileSetting
    .pipe(z.object({ email: z.string(), password: z.string() }))
    .optional(),
}

/** Settings of the serving process, by their names without the prefix HOLDFAST_SESSION_. */
export type SessionConfig = ReturnType<typeof readConfig>

/** Settings of the process that runs the loops. */
export type SessionJobsConfig = ReturnType<typeof readJobsConfig>

/** Reads the serving process's settings; BadConfiguration names everything that is wrong. */
export function readConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment, shape: serverShape })
}

/** Reads the jobs' settings; BadConfiguration names everything that is wrong. */
export function readJobsConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment, shape: jobsShape })
}
