import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readJobsConfig } from './config.ts'
import { createInventoryJobs } from './server.ts'

const log = createLogger({ service: 'inventory-jobs' })
await runProcess({
  process,
  log,
  start: () => createInventoryJobs(readJobsConfig(process.env), log),
})
