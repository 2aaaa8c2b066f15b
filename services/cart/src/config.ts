import {
  databaseSettings,
  type Environment,
  identitySettings,
  natsSetting,
  peerSetting,
  processSettings,
  readEnvironment,
  serverSettings,
  urlSetting,
} from '@holdfast/runtime'

const PREFIX = 'HOLDFAST_CART_'

const sharedShape = { ...processSettings, ...databaseSettings }

const serverShape = {
  ...sharedShape,
  ...identitySettings,
  ...serverSettings,
  NATS_URL: natsSetting,
  REDIS_URL: urlSetting('redis:', 'rediss:'),
  SESSION_ADDRESSES: peerSetting,
  SELLER_ADDRESSES: peerSetting,
  INVENTORY_ADDRESSES: peerSetting,
}

/** Settings of the serving process, by their names without the prefix HOLDFAST_CART_. */
export type CartConfig = ReturnType<typeof readConfig>

/** Settings of the process that runs the loops. */
export type CartJobsConfig = ReturnType<typeof readJobsConfig>

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
