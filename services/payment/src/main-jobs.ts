import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readJobsConfig } from './config.ts'
import { createPaymentJobs } from './server.ts'

const log = createLogger({ service: 'payment-jobs' })
await runProcess({
  process,
  log,
  start: () => createPaymentJobs(readJobsConfig(process.env), log),
})
