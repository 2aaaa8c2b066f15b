import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readJobsConfig } from './config.ts'
import { createSessionJobs } from './server.ts'

const log = createLogger({ service: 'session-jobs' })
await runProcess({
  process,
  log,
  start: () => createSessionJobs(readJobsConfig(process.env), log),
})
