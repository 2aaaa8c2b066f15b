/** A process that traces: many spans at once, then its metrics and the last flush. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { flushTracing, startMetrics, withSpan } from '../src/index.ts'

const SPANS = 10_000

const metrics = startMetrics({ service: 'test' })
for (let made = 0; made < SPANS; made += 1) await withSpan({ name: 'test.work' }, () => undefined)
await flushTracing()
let text = ''
const response = {
  statusCode: 0,
  setHeader: () => undefined,
  end: (body: string) => {
    text = body
  },
}
metrics.handle({} as IncomingMessage, response as unknown as ServerResponse)
setImmediate(() => {
  process.stdout.write(text)
})
