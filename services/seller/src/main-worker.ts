import process from 'node:process'
import { runProcess } from '@holdfast/runtime'
import { createLogger } from '@holdfast/telemetry'
import { readWorkerConfig } from './config.ts'
import { createSellerWorker } from './server.ts'

const log = createLogger({ service: 'seller-worker' })
await runProcess({
  process,
  log,
  start: () => {
    // A worker that ended by itself cannot be mended here; a supervisor starts the process again.
    const onFatal = (error: Error): void => {
      log.error('The Temporal worker ended by itself', { failure: error })
      process.exit(1)
    }
    return createSellerWorker(readWorkerConfig(process.env), log, { onFatal })
  },
})
