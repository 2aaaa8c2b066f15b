import {
  type Environment,
  addressSetting,
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

const PREFIX = 'HOLDFAST_SELLER_'

const workflowShape = {
  TEMPORAL_ADDRESS: z
    .string({ error: 'is required, as host:port' })
    .regex(/^[^\s:]+:\d{1,5}$/, 'must be host:port'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_TASK_QUEUE: z.string().min(1).default('seller'),
}

const serverShape = {
  ...processSettings,
  ...databaseSettings,
  ...identitySettings,
  ...serverSettings,
  NATS_URL: natsSetting,
  /** The onboarding API. */
  HTTP_LISTEN_ADDRESS: addressSetting,
  SESSION_ADDRESSES: peerSetting,
  INVENTORY_ADDRESSES: peerSetting,
  /** Keys that wrap the data keys of sealed answers. */
  VAULT_KEY_FILE: jsonFileSetting,
}

const jobsShape = {
  ...processSettings,
  ...databaseSettings,
  ...identitySettings,
  ...workflowShape,
  NATS_URL: natsSetting,
  SESSION_ADDRESSES: peerSetting,
  INVENTORY_ADDRESSES: peerSetting,
}

const workerShape = { ...processSettings, ...databaseSettings, ...workflowShape }

/** Settings of the serving process, by their names without the prefix HOLDFAST_SELLER_. */
export type SellerConfig = ReturnType<typeof readConfig>

/** Settings of the process that runs the loops. */
export type SellerJobsConfig = ReturnType<typeof readJobsConfig>

/** Settings of the process that runs the workflows. */
export type SellerWorkerConfig = ReturnType<typeof readWorkerConfig>

/** Reads the serving process's settings; BadConfiguration names everything that is wrong. */
export function readConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment, shape: serverShape })
}

/** Reads the jobs' settings; BadConfiguration names everything that is wrong. */
export function readJobsConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment, shape: jobsShape })
}

/** Reads the worker's settings; BadConfiguration names everything that is wrong. */
export function readWorkerConfig(environment: Environment) {
  return readEnvironment({ prefix: PREFIX, environment, shape: workerShape })
}
