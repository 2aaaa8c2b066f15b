import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readConfig } from './config.ts'
import { createInventory } from './server.ts'

const log = createLogger({ service: 'inventory' })
await runProcess({
  process,
  log,
  start: () => createInventory(readConfig(process.env), log),
})
