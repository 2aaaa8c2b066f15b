import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { bytesIn, messagesIn, numberIn, textIn } from './protobuf.ts'

/** One span as a collector was sent it. */
export interface CollectedSpan {
  /** `holdfast-checkout-1` */
  readonly process: string
  /** What made it: an instrumentation library, or `holdfast`. */
  readonly library: string
  readonly traceId: string
  readonly spanId: string
  /** '' at the root of its process's part that nobody called. */
  readonly parentId: string
  readonly name: string
  readonly kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer'
  /** All that was said of it, as it came. */
  readonly bytes: string
}

/** An OTLP collector of traces (protobuf over HTTP) that keeps what it is sent. */
export interface Collector extends AsyncDisposable {
  /**
   * For OTEL_EXPORTER_OTLP_ENDPOINT. `GET /spans` answers all spans as JSON, `PUT /hang` leaves
   * every export without an answer until `PUT /answer`, and `GET /hung` counts these exports.
   */
  readonly url: string
}

/** Bound on spans kept: the suite's traced calls make some thousands. */
const SPANS_MAX = 50_000

/** Starts it on a free port of this machine. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = []
  let [hangs, hung] = [false, 0]
  const answer = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    if (request.method === 'GET') {
      response.end(JSON.stringify(request.url === '/hung' ? hung : spans))
      return
    }
    if (request.method === 'PUT') hangs = request.url === '/hang'
    else if (hangs) {
      hung += 1
      return
    } else spans.push(...spansIn(body))
    if (spans.length > SPANS_MAX) spans.splice(0, spans.length - SPANS_MAX)
    response.end()
  }
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      answer(request, response, body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** What the collector at `url` was sent so far. */
export async function collectedSpans(url: string): Promise<readonly CollectedSpan[]> {
  return (await (await fetch(`${url}/spans`)).json()) as CollectedSpan[]
}

/** How many exports the collector at `url` has left without an answer so far. */
export async function hungExports(url: string): Promise<number> {
  return Number(await (await fetch(`${url}/hung`)).text())
}

/** Has the collector at `url` leave exports without an answer, or answer them again. */
export async function letCollector(url: string, mode: 'hang' | 'answer'): Promise<void> {
  await fetch(`${url}/${mode}`, { method: 'PUT' })
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const whole = Buffer.concat(chunks)
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole
}

const KINDS = ['internal', 'internal', 'server', 'client', 'producer', 'consumer'] as const

/** ExportTraceServiceRequest, by the field numbers of opentelemetry-proto. */
function spansIn(request: Buffer): CollectedSpan[] {
  return messagesIn(request, 1).flatMap((resourceSpans) => {
    const [resource = Buffer.alloc(0)] = messagesIn(resourceSpans, 1)
    const process = attributeIn(resource, 'service.name')
    return messagesIn(resourceSpans, 2).flatMap((scopeSpans) => {
      const library = textIn(messagesIn(scopeSpans, 1)[0], 1)
      return messagesIn(scopeSpans, 2).map((span) => ({ process, library, ...spanOf(span) }))
    })
  })
}

function spanOf(span: Buffer): Omit<CollectedSpan, 'process' | 'library'> {
  return {
    traceId: bytesIn(span, 1).toString('hex'),
    spanId: bytesIn(span, 2).toString('hex'),
    parentId: bytesIn(span, 4).toString('hex'),
    name: textIn(span, 5),
    kind: KINDS[numberIn(span, 6)] ?? 'internal',
    bytes: span.toString('latin1'),
  }
}

function attributeIn(resource: Buffer, name: string): string {
  const attribute = messagesIn(resource, 1).find((one) => textIn(one, 1) === name)
  return textIn(messagesIn(attribute, 2)[0], 1)
}
