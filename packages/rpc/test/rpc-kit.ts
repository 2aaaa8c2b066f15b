import { readFile } from 'node:fs/promises'
import { type AddressInfo, type Socket, connect as connectTcp, createServer } from 'node:net'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { credentials, Client as GrpcClient, type Metadata, type ServiceError } from '@grpc/grpc-js'
import { type Clock, NotFound } from '@holdfast/kernel'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { ErrorInfo, Status } from '@holdfast/proto/google'
import { InventoryServiceDefinition, type WatchStockResponse } from '@holdfast/proto/inventory'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { z } from 'zod'
import {
  ANONYMOUS,
  type AccessRow,
  type CallContext,
  type Caller,
  type PriorityClass,
  type RpcClient,
  type RpcClientOptions,
  createRpcClient,
  idField,
  requestIdField,
  scopeFor,
  startRpcServer,
} from '../src/index.ts'

const SERVICE = InventoryServiceDefinition.fullName
const METHODS = Object.entries(InventoryServiceDefinition.methods)

/** A server whose methods do what the test says at the moment. */
export interface ServerUnderTest extends AsyncDisposable {
  readonly address: string
  /** What unary methods do; at first they miss everything. */
  unary: (request: unknown, call: CallContext) => Promise<unknown>
  /** What the stream of stock does. */
  stream: (call: CallContext) => AsyncIterable<WatchStockResponse>
  /** Who every caller is, unless `callerOf` says otherwise. */
  caller: Caller
  callerOf: (authorization: string | undefined) => Caller | Promise<Caller>
  isReady: boolean
  dependencies: Record<string, boolean>
  /** Calls whose handler has begun. */
  served: number
}

/** Starts one on a free port, or on `port`. */
export async function startServer(
  options: {
    readonly port?: number
    readonly row?: Partial<AccessRow>
    readonly classes?: Readonly<Record<string, PriorityClass>>
  } = {},
): Promise<ServerUnderTest> {
  const every = (value: unknown): never =>
    Object.fromEntries(METHODS.map(([name]) => [name, value])) as never
  const classes = Object.entries(options.classes ?? {})
  const row: AccessRow = { allow: ['anonymous', 'service'], class: 'browse', ...options.row }
  const under: ServerUnderTest = {
    address: '',
    unary: async () => {
      throw new NotFound('HOLD_NOT_FOUND', 'There is no such hold.')
    },
    async *stream() {},
    caller: ANONYMOUS,
    callerOf: () => under.caller,
    isReady: true,
    dependencies: {},
    served: 0,
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  }
  const server = await startRpcServer({
    host: '127.0.0.1',
    port: options.port ?? 0,
    definition: InventoryServiceDefinition,
    schemas: {
      ...(every(z.looseObject({})) as object),
      placeHold: z.looseObject({ requestId: requestIdField, holdId: idField('hold') }),
    } as never,
    access: {
      ...(every(row) as object),
      ...Object.fromEntries(classes.map(([name, of]) => [name, { ...row, class: of }])),
    } as never,
    handlers: {
      ...(every((request: unknown, call: CallContext) => {
        under.served += 1
        return under.unary(request, call)
      }) as object),
      watchStock: (_request: unknown, call: CallContext) => under.stream(call),
    } as never,
    authenticator: { authenticate: async (authorization) => under.callerOf(authorization) },
    secret: new Uint8Array(32),
    isReady: () => under.isReady,
    dependencies: () => under.dependencies,
    descriptors: await readFile(DESCRIPTOR_SET_PATH),
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  return Object.assign(under, { address: server.address })
}

/** A client of this system, by default one that tries once and has no breaker. */
export function clientOf(
  addresses: readonly string[],
  options: Partial<RpcClientOptions<InventoryServiceDefinition>> = {},
): RpcClient<InventoryServiceDefinition> {
  return createRpcClient({
    definition: InventoryServiceDefinition,
    to: 'inventory',
    addresses,
    retries: 'none',
    breaker: 'off',
    timeoutMs: 10_000,
    clock: systemClock,
    log: SILENT_LOGGER,
    ...options,
  })
}

export const scope = (timeoutMs = 10_000) => scopeFor({ timeoutMs, clock: systemClock })

/** What the call failed with. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    (value) => `no failure: ${JSON.stringify(value)}`,
    (error: unknown) => error,
  )
}

/** How a raw call ended. */
export interface RawOutcome {
  readonly code: number
  /** Reason in the details, `none` without details, `answered` when it was answered. */
  readonly reason: string
}

/** Any gRPC client: it sends bytes as they are and knows nothing of this system. */
export function createRawClient(address: string): Disposable & {
  call(method: string, bytes: Uint8Array, metadata?: Metadata): Promise<RawOutcome>
} {
  const client = new GrpcClient(address, credentials.createInsecure())
  return {
    call: (method, bytes, metadata) =>
      new Promise((resolve) => {
        const path = method.startsWith('/') ? method : `/${SERVICE}/${method}`
        const done = (error: ServiceError | null): void =>
          resolve(error === null ? { code: 0, reason: 'answered' } : outcomeOf(error))
        const same = (value: Uint8Array): Buffer => Buffer.from(value)
        if (metadata === undefined) client.makeUnaryRequest(path, same, same, bytes, done)
        else client.makeUnaryRequest(path, same, same, bytes, metadata, done)
      }),
    [Symbol.dispose]: () => client.close(),
  }
}

function outcomeOf(error: ServiceError): RawOutcome {
  return {
    code: error.code,
    reason: reasonIn(error.metadata.get('grpc-status-details-bin')[0]),
  }
}

function reasonIn(details: unknown): string {
  if (!(details instanceof Uint8Array)) return 'none'
  const info = Status.decode(details).details.find(({ typeUrl }) => typeUrl.endsWith('.ErrorInfo'))
  return info === undefined ? 'none' : ErrorInfo.decode(info.value).reason
}

/** A gRPC frame around a message. */
export function frame(message: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt8(compressed, 0)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** Bare HTTP/2, for what no gRPC library would send. */
export function createHttp2(address: string): Disposable & {
  readonly session: ClientHttp2Session
  readonly address: string
  post(
    method: string,
    body: Uint8Array,
    headers?: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<RawOutcome>
} {
  const session = connect(`http://${address}`)
  session.on('error', () => undefined)
  return {
    session,
    address,
    post: (method, body, headers = {}) =>
      new Promise((resolve) => {
        if (session.destroyed || session.closed) return resolve({ code: -1, reason: 'none' })
        const stream = session.request({
          [constants.HTTP2_HEADER_METHOD]: 'POST',
          [constants.HTTP2_HEADER_PATH]: `/${SERVICE}/${method}`,
          'content-type': 'application/grpc',
          te: 'trailers',
          ...headers,
        } as never)
        let told: Record<string, unknown> = {}
        const note = (received: object): void => {
          told = { ...told, ...received }
        }
        stream.on('response', note)
        stream.on('trailers', note)
        stream.on('error', () => undefined)
        stream.resume()
        stream.on('close', () => {
          const bytes = told['grpc-status-details-bin']
          const details = typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : undefined
          const status = told['grpc-status']
          const code = status === undefined ? -1 : Number(status)
          resolve({ code, reason: code === 0 ? 'answered' : reasonIn(details) })
        })
        stream.end(body)
      }),
    [Symbol.dispose]: () => session.destroy(),
  }
}

/** A stream's message without content. */
export const HEARTBEAT: WatchStockResponse = {
  event: {
    $case: 'heartbeat',
    value: { completeThroughTime: undefined, stale: false, cursor: '' },
  },
}

/** Beats until the call's signal ends it or `beatsMax` were sent. */
export async function* heartbeats(
  call: CallContext,
  about: {
    readonly everyMs?: number
    readonly beatsMax?: number
    readonly onBegin?: () => void
    readonly onEnd?: () => void
  } = {},
): AsyncGenerator<WatchStockResponse> {
  about.onBegin?.()
  const rhythm: Clock = systemClock
  const beatsMax = about.beatsMax ?? Number.POSITIVE_INFINITY
  try {
    for (let beat = 0; beat < beatsMax && !call.signal.aborted; beat += 1) {
      yield HEARTBEAT
      await rhythm.sleep(about.everyMs ?? 20, call.signal)
    }
  } finally {
    about.onEnd?.()
  }
}

/** A wire that can be cut; what was on its way is lost. */
export interface Wire extends AsyncDisposable {
  readonly address: string
  /** While set, connections are taken and never answered. */
  isDeaf: boolean
  cut(): void
  unplug(): void
  /** Swallows all that the present connections carry and closes none. */
  hush(): void
}

/** Lays one to `target`, or to nothing. */
export async function startWire(target?: string): Promise<Wire> {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    return socket
  }
  const tcp = createServer((socket) => {
    keep(socket)
    if (target === undefined || wire.isDeaf) return socket.resume()
    const [host = '', port = ''] = target.split(':')
    const onward = keep(connectTcp(Number(port), host))
    return socket.pipe(onward).pipe(socket)
  })
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const wire: Wire = {
    isDeaf: false,
    address: `127.0.0.1:${(tcp.address() as AddressInfo).port}`,
    cut,
    hush: () => {
      for (const socket of sockets) socket.unpipe().resume()
    },
    unplug: () => {
      tcp.close()
      cut()
    },
    [Symbol.asyncDispose]: async () => {
      tcp.close()
      cut()
    },
  }
  return wire
}
