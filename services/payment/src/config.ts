import { SECOND_MS } from '@holdfast/kernel'
import {
  addressSetting,
  databaseSettings,
  durationMsSetting,
  type Environment,
  identitySettings,
  jsonFileSetting,
  natsSetting,
  peerSetting,
  processSettings,
  readEnvironment,
  secretFileSetting,
  serverSettings,
  urlSetting,
} from '@holdfast/runtime'

const PREFIX = 'HOLDFAST_PAYMENT_'

/** Begins with the same words, but belongs to another process. */
const SIMULATOR_PREFIX = 'HOLDFAST_PAYMENT_SIMULATOR_'

const sharedShape = {
  ...processSettings,
  ...databaseSettings,
  NATS_URL: natsSetting,
  PROVIDER_URL: urlSetting('http:', 'https:'),
  PROVIDER_KEY_FILE: secretFileSetting,
  VAULT_KEY_FILE: jsonFileSetting,
  /** Longest wait for one answer of the provider. */
  PROVIDER_CALL_LIMIT_MS: durationMsSetting({
    min: 100,
    max: 60 * SECOND_MS,
    fallback: 5 * SECOND_MS,
  }),
}

const serverShape = {
  ...sharedShape,
  ...identitySettings,
  ...serverSettings,
  HTTP_LISTEN_ADDRESS: addressSetting,
  /** The current secret on the first line, the one before on the second while it is changed. */
  WEBHOOK_SECRET_FILE: secretFileSetting.transform((text) => text.split(/\s+/)),
  SESSION_ADDRESSES: peerSetting,
}

/** Settings of the serving process, by their names without the prefix HOLDFAST_PAYMENT_. */
export type PaymentConfig = ReturnType<typeof readConfig>

/** Settings of the process that runs the loops. */
export type PaymentJobsConfig = ReturnType<typeof readJobsConfig>

/** Reads the serving process's settings; BadConfiguration names everything that is wrong. */
export function readConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment: own(environment), shape: serverShape })
}

/** Reads the jobs' settings; BadConfiguration names everything that is wrong. */
export function readJobsConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment: own(environment), shape: sharedShape })
}

function own(environment: Environment): Environment {
  const names = Object.keys(environment).filter((name) => !name.startsWith(SIMULATOR_PREFIX))
  return Object.fromEntries(names.map((name) => [name, environment[name]]))
}
