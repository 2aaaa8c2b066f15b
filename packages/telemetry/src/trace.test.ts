import { SpanKind } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK, type tracing } from '@opentelemetry/sdk-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rememberTracing } from './active-tracing.ts'
import {
  currentTraceId,
  currentTraceparent,
  tellCallStatus,
  withMadeCall,
  withServedCall,
  withSpan,
} from './trace.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const TRACEPARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`

const PATH = '/holdfast.cart.v1.CartService/GetCart'

const ended: tracing.ReadableSpan[] = []
const spanProcessor: tracing.SpanProcessor = {
  onStart: () => undefined,
  onEnd: (span) => ended.push(span),
  forceFlush: async () => undefined,
  shutdown: async () => undefined,
}

const sdk = new NodeSDK({
  spanProcessors: [spanProcessor],
  metricReaders: [],
  logRecordProcessors: [],
  instrumentations: [],
})

beforeAll(() => {
  sdk.start()
  rememberTracing({ resource: resourceFromAttributes({}), spanProcessor })
})

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

test('a call is one span where it is made and one below it where it is served', async () => {
  ended.length = 0
  await withServedCall({ path: PATH, traceparent: TRACEPARENT }, async () =>
    withMadeCall(PATH, async (traceparent) =>
      withServedCall({ path: PATH, traceparent }, async () => {
        tellCallStatus(5)
      }),
    ),
  )
  const [inner, made, outer] = ended
  expect(ended.map(({ name, kind }) => ({ name, kind }))).toEqual(
    [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.SERVER].map((kind) => ({
      name: 'grpc.holdfast.cart.v1.CartService/GetCart',
      kind,
    })),
  )
  expect(inner?.parentSpanContext?.spanId).toBe(made?.spanContext().spanId)
  expect(made?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId)
  expect(new Set(ended.map((span) => span.spanContext().traceId))).toEqual(new Set([TRACE_ID]))
  expect(inner?.attributes).toEqual({ 'rpc.grpc.status_code': 5 })
})

test('a trace that its caller left out is left out by everybody after it', async () => {
  ended.length = 0
  const leftOut = TRACEPARENT.replace(/01$/, '00')
  const handedOn = await withServedCall({ path: PATH, traceparent: leftOut }, async () =>
    withMadeCall(PATH, async (traceparent) => traceparent),
  )
  expect(handedOn).toBe(leftOut)
  expect(ended).toEqual([])
})

test('a call that came without a trace begins one', async () => {
  ended.length = 0
  await withServedCall({ path: PATH, traceparent: undefined }, async () => undefined)
  await withServedCall({ path: PATH, traceparent: 'nonsense' }, async () => undefined)
  expect(ended.map((span) => span.parentSpanContext)).toEqual([undefined, undefined])
})
