import {
  type Environment,
  databaseSettings,
  identitySettings,
  natsSetting,
  peerSetting,
  processSettings,
  readEnvironment,
  serverSettings,
} from '@holdfast/runtime'

const PREFIX = 'HOLDFAST_INVENTORY_'

const sharedShape = { ...processSettings, ...databaseSettings, NATS_URL: natsSetting }

const serverShape = {
  ...sharedShape,
  ...identitySettings,
  ...serverSettings,
  SESSION_ADDRESSES: peerSetting,
}

/** Settings of the serving process, by their names without the prefix HOLDFAST_INVENTORY_. */
export type InventoryConfig = ReturnType<typeof readConfig>

/** Settings of the process that runs the loops. */
export type InventoryJobsConfig = ReturnType<typeof readJobsConfig>

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
