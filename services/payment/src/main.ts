import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readConfig } from './config.ts'
import { createPayment } from './server.ts'

const log = createLogger({ service: 'payment' })
await runProcess({
  process,
  log,
  start: () => createPayment(readConfig(process.env), log),
})
