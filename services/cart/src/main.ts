import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readConfig } from './config.ts'
import { createCart } from './server.ts'

const log = createLogger({ service: 'cart' })
await runProcess({
  process,
  log,
  start: () => createCart(readConfig(process.env), log),
})
