import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readJobsConfig } from './config.ts'
import { createCartJobs } from './server.ts'

const log = createLogger({ service: 'cart-jobs' })
await runProcess({
  process,
  log,
  start: () => createCartJobs(readJobsConfig(process.env), log),
})
