import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from 'node:http2'
import { BadRequest, ErrorInfo, Status } from '@holdfast/proto/google'
import { eventually } from '@holdfast/testkit'

/** What a server answered to one call, as read from the wire. */
export interface Answer {
  /** gRPC status code; undefined when the stream ended without one. */
  readonly code: number | undefined
  /** Status of HTTP, by which a server answers what is no gRPC at all. */
  readonly httpStatus?: number | undefined
  readonly text: string
  /** From ErrorInfo; '' when there is none. */
  readonly reason: string
  readonly violations: readonly string[]
  readonly messages: readonly Uint8Array[]
}

/** One call given as bytes. */
export interface RawCall {
  /** `/holdfast.cart.v1.CartService/GetCart` */
  readonly path: string
  /** Encoded messages; a unary call has one. */
  readonly messages: readonly Uint8Array[]
  readonly bearer?: string | undefined
  /** The caller's own trace, in W3C form. */
  readonly traceparent?: string | undefined
  /** True for a server stream, which is cancelled after its first message. */
  readonly firstMessageOnly?: boolean
  /** Headers put over the usual ones; undefined leaves one out. */
  readonly headers?: OutgoingHttpHeaders
  /** Sent as they are in the place of framed messages. */
  readonly body?: Uint8Array
  /** True when the call is broken off as soon as everything was sent. */
  readonly isBrokenOff?: boolean
}

/** A connection to one server that says exactly the bytes it is given. */
export interface RawClient extends Disposable {
  call(call: RawCall): Promise<Answer>
}

/** Longer than any call here may take on a busy machine. */
const TIMEOUT_MS = 15_000

const OK = 0
const CANCELLED = 1
const FRAME_HEADER_BYTES = 5

/**
 * Connects by plain HTTP/2 and not by the project's own client, so that the contract is read as
 * another language would read it. Fails when nothing listens within the time given.
 */
export async function connectRaw(address: string): Promise<RawClient> {
  const session = connect(`http://${address}`)
  // A connection that breaks fails the calls on it; they tell.
  session.on('error', () => undefined)
  await eventually(() => !session.connecting, { withinMs: TIMEOUT_MS })
  return {
    call: (call) => callRaw(session, call),
    [Symbol.dispose]: () => {
      session.destroy()
    },
  }
}

function callRaw(session: ClientHttp2Session, call: RawCall): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const stream = session.request(headersOf(call))
  const said: Record<string, unknown> = {}
  let received = Buffer.alloc(0)
  const finish = (): void => {
    resolve(answerOf(said, framesIn(received)))
  }
  stream.setTimeout(TIMEOUT_MS, () => {
    reject(new Error(`${call.path} did not end within ${TIMEOUT_MS} ms`))
    stream.close()
  })
  stream.on('response', (headers) => Object.assign(said, headers))
  stream.on('trailers', (trailers) => Object.assign(said, trailers))
  stream.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk])
    if (call.firstMessageOnly !== true || framesIn(received).length === 0) return
    said['grpc-status'] ??= OK
    finish()
    stream.close(CANCELLED)
  })
  stream.on('error', reject)
  stream.on('close', finish)
  if (call.isBrokenOff === true) {
    stream.write(bodyOf(call), () => stream.close(CANCELLED))
    return promise
  }
  stream.end(bodyOf(call))
  return promise
}

function headersOf(call: RawCall): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    ':method': 'POST',
    ':path': call.path,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${TIMEOUT_MS}m`,
    ...(call.bearer === undefined ? {} : { authorization: `Bearer ${call.bearer}` }),
    ...(call.traceparent === undefined ? {} : { traceparent: call.traceparent }),
    ...call.headers,
  }
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))
}

function bodyOf({ body, messages }: RawCall): Uint8Array {
  return body ?? Buffer.concat(messages.map((message) => frame(message)))
}

/** A message as gRPC sends it: a flag that says whether it is compressed, its length, itself. */
export function frame(message: Uint8Array, isCompressed = false): Buffer {
  const header = Buffer.alloc(FRAME_HEADER_BYTES)
  header.writeUInt8(isCompressed ? 1 : 0, 0)
  header.writeUInt32BE(message.length, 1)
  return Buffer.concat([header, message])
}

function framesIn(bytes: Buffer): Uint8Array[] {
  const messages: Uint8Array[] = []
  let at = 0
  while (at + FRAME_HEADER_BYTES <= bytes.length) {
    const start = at + FRAME_HEADER_BYTES
    const end = start + bytes.readUInt32BE(at + 1)
    if (end > bytes.length) break
    messages.push(bytes.subarray(start, end))
    at = end
  }
  return messages
}

function answerOf(said: Record<string, unknown>, messages: readonly Uint8Array[]): Answer {
  const code = said['grpc-status']
  const text = typeof said['grpc-message'] === 'string' ? said['grpc-message'] : ''
  return {
    code: code === undefined ? undefined : Number(code),
    httpStatus: said[':status'] === undefined ? undefined : Number(said[':status']),
    text: decodeURIComponent(text),
    ...detailsOf(said['grpc-status-details-bin']),
    messages,
  }
}

function detailsOf(header: unknown): Pick<Answer, 'reason' | 'violations'> {
  if (typeof header !== 'string') return { reason: '', violations: [] }
  const { details } = Status.decode(Buffer.from(header, 'base64'))
  const valueOf = (name: string): Uint8Array | undefined =>
    details.find((detail) => detail.typeUrl.endsWith(`/google.rpc.${name}`))?.value
  const info = valueOf('ErrorInfo')
  const bad = valueOf('BadRequest')
  return {
    reason: info === undefined ? '' : ErrorInfo.decode(info).reason,
    violations:
      bad === undefined ? [] : BadRequest.decode(bad).fieldViolations.map((one) => one.field),
  }
}
