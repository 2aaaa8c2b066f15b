import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readConfig } from './config.ts'
import { createSession } from './server.ts'

const log = createLogger({ service: 'session' })
await runProcess({
  process,
  log,
  start: () => createSession(readConfig(process.env), log),
})
