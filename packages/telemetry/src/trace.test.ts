import { NodeSDK } from '@opentelemetry/sdk-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { currentTraceId, currentTraceparent, withSpan } from './trace.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`

const sdk = new NodeSDK({
  spanProcessors: [
    {
      onStart: () => undefined,
      onEnd: () => undefined,
      forceFlush: async () => undefined,
      shutdown: async () => undefined,
    },
  ],
  metricReaders: [],
  logRecordProcessors: [],
  instrumentations: [],
})

beforeAll(() => sdk.start())

afterAll(() => sdk.shutdown())

test('outside a trace there is nothing to hand on', () => {
  expect(currentTraceparent()).toBeUndefined()
})

test('what is handed on names the span at hand, and is followed', async () => {
  const handedOn = await withSpan({ name: 'sent', parent: TRACEPARENT }, () => {
    expect(currentTraceId()).toBe(TRACE_ID)
    return currentTraceparent()
  })
  expect(handedOn).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-01$`))
  expect(handedOn).not.toBe(TRACEPARENT)
  const followed = await withSpan({ name: 'taken', parent: handedOn }, currentTraceId)
  expect(followed).toBe(TRACE_ID)
})

test.each([
  undefined,
  '',
  'nonsense',
  TRACE_ID,
  `00-${TRACE_ID}-0000000000000000-01`,
  TRACEPARENT.replace(TRACE_ID, '0'.repeat(32)),
  TRACEPARENT.replace('00-', 'ff-'),
  `${TRACEPARENT}-more`,
])('a traceparent that says nothing, %j, means the span at hand', async (parent) => {
  await withSpan({ name: 'at hand', parent: TRACEPARENT }, async () => {
    expect(await withSpan({ name: 'inner', parent }, currentTraceId)).toBe(TRACE_ID)
  })
  expect(await withSpan({ name: 'outer', parent }, currentTraceId)).not.toBe(TRACE_ID)
})
