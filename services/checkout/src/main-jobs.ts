import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readJobsConfig } from './config.ts'
import { createCheckoutJobs } from './server.ts'

const log = createLogger({ service: 'checkout-jobs' })
await runProcess({
  process,
  log,
  start: () => createCheckoutJobs(readJobsConfig(process.env), log),
})
