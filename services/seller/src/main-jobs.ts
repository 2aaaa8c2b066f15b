import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readJobsConfig } from './config.ts'
import { createSellerJobs } from './server.ts'

const log = createLogger({ service: 'seller-jobs' })
await runProcess({
  process,
  log,
  start: () => createSellerJobs(readJobsConfig(process.env), log),
})
