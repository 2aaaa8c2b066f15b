import { createLogger } from '../src/index.ts'

// Logs more than is kept of what cannot be written, then says on standard error that it lives.
const log = createLogger({ service: 'child' })
for (let line = 0; line < 20_000; line += 1) log.info('A line of about a hundred bytes', { line })
// An error of the log would end the process before its turn of the event loop is over.
process.once('beforeExit', () => void process.stderr.write('alive\n'))
