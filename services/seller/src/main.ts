import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readConfig } from './config.ts'
import { createSeller } from './server.ts'

const log = createLogger({ service: 'seller' })
await runProcess({
  process,
  log,
  start: () => createSeller(readConfig(process.env), log),
})
