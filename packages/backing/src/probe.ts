import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'

/** Where a server listens. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Bound on what a probe reads: every expected answer fits in one packet. */
const ANSWER_BYTES_MAX = 64 * 1024

/**
 * Sends `greeting` (may be empty) and returns the first bytes that come back. Rejects when the
 * server cannot be reached, closes without a word, or `signal` aborts.
 */
export function exchange(
  { host, port }: Endpoint,
  greeting: Uint8Array | string,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host, port, signal })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without an answer')))
    socket.once('data', (chunk: Buffer) => {
      resolve(chunk.subarray(0, ANSWER_BYTES_MAX))
      socket.destroy()
    })
    socket.once('connect', () => {
      if (greeting.length > 0) socket.write(greeting)
    })
  })
}

/** True once Postgres takes sessions: it answers a start-up message with anything but 57P03. */
export async function probePostgres(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
  const answer = await exchange(endpoint, postgresStartup(), signal)
  // 57P03 is cannot_connect_now: it starts, recovers or stops.
  return !answer.toString('latin1').includes('C57P03')
}

/** Protocol 3.0: length, version, then name and value pairs, each ended by a zero byte. */
function postgresStartup(): Buffer {
  const body = Buffer.from('user\0holdfast_probe\0database\0postgres\0\0', 'latin1')
  const head = Buffer.alloc(8)
  head.writeInt32BE(head.length + body.length, 0)
  head.writeInt32BE(0x00_03_00_00, 4)
  return Buffer.concat([head, body])
}

/** True once Redis answers PING: it has loaded its data. */
export async function probeRedis(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
  const answer = await exchange(endpoint, 'PING\r\n', signal)
  return answer.toString('latin1').startsWith('+PONG')
}

/** True once NATS greets, with JetStream running. */
export async function probeNats(endpoint: Endpoint, signal: AbortSignal): Promise<boolean> {
  const greeting = (await exchange(endpoint, '', signal)).toString('utf8')
  return greeting.startsWith('INFO ') && greeting.includes('"jetstream":true')
}

/** True once Temporal's frontend knows the namespace. */
export async function probeTemporal(
  endpoint: Endpoint,
  namespace: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { status } = await callGrpc({
    endpoint,
    path: '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace',
    message: protobufField(1, namespace),
    signal,
  })
  return status === 0
}

/** True when an HTTP GET answers 200. */
export async function probeHttp(url: string, signal: AbortSignal): Promise<boolean> {
  const response = await fetch(url, { signal, redirect: 'manual' })
  await response.body?.cancel()
  return response.status === 200
}

/** Whom to call, what to say and how long to wait. */
export interface GrpcCall {
  readonly endpoint: Endpoint
  /** `/package.Service/Method` */
  readonly path: string
  /** The encoded request. */
  readonly message: Uint8Array
  readonly signal: AbortSignal
}

/** Its answer: the gRPC status (0 is OK) and the encoded response, empty unless OK. */
export interface GrpcAnswer {
  readonly status: number
  readonly message: Buffer
}

/** Bytes before each gRPC message: one for compression, four for its length. */
const FRAME_HEAD_BYTES = 5

/**
 * One unary gRPC call over plain HTTP/2, for servers whose types this project does not have.
 * Rejects when there is no gRPC answer.
 */
export function callGrpc({ endpoint, path, message, signal }: GrpcCall): Promise<GrpcAnswer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://${endpoint.host}:${endpoint.port}`)
    const fail = (error: Error) => {
      session.destroy()
      reject(error)
    }
    session.once('error', fail)
    const request = session.request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      { signal },
    )
    let status: number | undefined
    const read = (headers: Readonly<Record<string, unknown>>) => {
      const value = headers['grpc-status']
      if (value !== undefined) status = Number(value)
    }
    const chunks: Buffer[] = []
    request.on('response', read)
    request.on('trailers', read)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('error', fail)
    request.once('close', () => {
      session.destroy()
      if (status === undefined) reject(new Error('no gRPC status'))
      else resolve({ status, message: Buffer.concat(chunks).subarray(FRAME_HEAD_BYTES) })
    })
    const head = Buffer.alloc(FRAME_HEAD_BYTES)
    head.writeUInt32BE(message.length, 1)
    request.end(Buffer.concat([head, message]))
  })
}

/** A length-delimited protobuf field: number 1 to 15, content of at most 127 bytes. */
export function protobufField(number: number, content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}
