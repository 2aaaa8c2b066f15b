import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readConfig } from './config.ts'
import { createPaymentSimulator } from './simulator.ts'

const log = createLogger({ service: 'payment-simulator' })

await runProcess({
  process,
  log,
  start: () => createPaymentSimulator(readConfig(process.env), { log }),
})
