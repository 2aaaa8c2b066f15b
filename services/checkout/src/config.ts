import {
  type Environment,
  databaseSettings,
  identitySettings,
  jsonFileSetting,
  natsSetting,
  peerSetting,
  processSettings,
  readEnvironment,
  serverSettings,
} from '@holdfast/runtime'
import { z } from 'zod'

const PREFIX = 'HOLDFAST_CHECKOUT_'

const country = z.string().regex(/^[A-Z]{2}$/, 'must be two upper-case letters such as DE')

const basisPoints = z.number().int().min(0).max(10_000)

const taxTable = z.record(
  country,
  z.object({
    standard: basisPoints,
    reduced: basisPoints,
    isIncluded: z.boolean(),
    platformRemitsForForeign: z.boolean(),
  }),
)

const taxTableFile = jsonFileSetting.pipe(taxTable)

const sharedShape = {
  ...processSettings,
  ...databaseSettings,
  SERVICE_KEY_FILE: identitySettings.SERVICE_KEY_FILE,
  NATS_URL: natsSetting,
  /** `host:port` of Temporal. */
  TEMPORAL_ADDRESS: z.string().regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_TASK_QUEUE: z.string().min(1).default('checkout'),
  CART_ADDRESSES: peerSetting,
  SELLER_ADDRESSES: peerSetting,
  INVENTORY_ADDRESSES: peerSetting,
  PAYMENT_ADDRESSES: peerSetting,
  /** Keys that seal addresses and payment methods, as the vault's file has them. */
  VAULT_KEY_FILE: jsonFileSetting,
}

const serverShape = {
  ...sharedShape,
  ...serverSettings,
  PEER_KEYS_FILE: identitySettings.PEER_KEYS_FILE,
  SESSION_ADDRESSES: peerSetting,
  /** Where the platform is established, for the tax on its commission. */
  PLATFORM_COUNTRY: country.default('DE'),
  /** JSON of rates by country, instead of the built-in table. */
  TAX_TABLE_FILE: taxTableFile.optional(),
}

/** Settings of the serving process, by their names without the prefix HOLDFAST_CHECKOUT_. */
export type CheckoutConfig = ReturnType<typeof readConfig>

/** Settings of the process that runs the loops. */
export type CheckoutJobsConfig = ReturnType<typeof readJobsConfig>

/** Reads the serving process's settings; BadConfiguration names everything that is wrong. */
export function readConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment, shape: serverShape })
}

/** Reads the jobs' settings; BadConfiguration names everything that is wrong. */
export function readJobsConfig(environment: Environment) {
  return readEnvironment({
    prefix: PREFIX,
    environment,
    shape: sharedShape,
    ofOtherProcesses: serverShape,
  })
}
