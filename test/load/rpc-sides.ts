import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js'
import { isHoldfastError, NotFound } from '@holdfast/kernel'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import {
  Hold_State,
  InventoryServiceDefinition,
  PlaceHoldRequest,
  PlaceHoldResponse,
} from '@holdfast/proto/inventory'
import {
  type CallContext,
  createAuthenticator,
  createRpcClient,
  createServiceTokenSource,
  IN_FLIGHT_MAX,
  idField,
  integerField,
  type PrivateJwk,
  publicHalfOf,
  requestIdField,
  type RpcClient,
  type RpcClientOptions,
  scopeFor,
  startRpcServer,
} from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { z } from 'zod'

/** A server that listens. */
export interface RpcServerSide extends AsyncDisposable {
  readonly address: string
}

/** A client of it: one unary call, made in different ways. */
export interface RpcClientSide<Way extends string> extends AsyncDisposable {
  /** Runs `work`, which makes calls this way, with whatever the way needs around it. */
  during<T>(way: Way, work: (call: () => Promise<void>) => Promise<T>): Promise<T>
}

/** Served, or refused for one of the reasons that a stranger or a crowd can cause at will. */
export const OUR_WAYS = ['served', 'shed', 'no-token', 'wrong-field'] as const
/** One of `OUR_WAYS`. */
export type OurWay = (typeof OUR_WAYS)[number]

const METHOD = InventoryServiceDefinition.methods.placeHold
const PATH = `/${InventoryServiceDefinition.fullName}/${METHOD.name}`
const HOST = '127.0.0.1'
const CALL_LIMIT_MS = 10_000
/** A round of refused calls is over long before. */
const CROWD_MS_MAX = 29_000

/** What goes to and fro on both sides: a hold of three lines, about 250 bytes each way. */
const REQUEST: PlaceHoldRequest = {
  requestId: newId('hold'),
  holdId: newId('hold'),
  orderId: newId('order'),
  lines: [1, 2, 3].map((quantity) => ({ itemId: newId('stockItem'), quantity })),
}
const RESPONSE: PlaceHoldResponse = {
  hold: {
    holdId: REQUEST.holdId,
    orderId: REQUEST.orderId,
    state: Hold_State.HELD,
    version: 1n,
    lines: REQUEST.lines.map((line) => ({ ...line, restockedQuantity: 0 })),
    createTime: new Date(0),
    updateTime: new Date(0),
    expireTime: new Date(0),
  },
}

const encodeRequest = (message: PlaceHoldRequest) =>
  Buffer.from(PlaceHoldRequest.encode(message).finish())
const decodeResponse = (bytes: Buffer) => PlaceHoldResponse.decode(bytes)

/** grpc-js as it comes, with the same codec: no token, no deadline, nothing checked. */
export async function openBareServer(): Promise<RpcServerSide> {
  const server = new Server()
  const placeHold = {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: encodeRequest,
    requestDeserialize: (bytes: Buffer) => PlaceHoldRequest.decode(bytes),
    responseSerialize: (message: PlaceHoldResponse) =>
      Buffer.from(PlaceHoldResponse.encode(message).finish()),
    responseDeserialize: decodeResponse,
  }
  server.addService(
    { placeHold },
    {
      placeHold: (_: unknown, answer: (error: null, response: PlaceHoldResponse) => void) => {
        answer(null, RESPONSE)
      },
    },
  )
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  server.bindAsync(`${HOST}:0`, ServerCredentials.createInsecure(), (error, port) => {
    if (error === null) resolve(port)
    else reject(error)
  })
  return {
    address: `${HOST}:${await promise}`,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  }
}

/** A client of grpc-js alone. */
export function openBareClient(address: string): RpcClientSide<'served'> {
  const client = new Client(address, credentials.createInsecure())
  const call = async (): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    client.makeUnaryRequest(PATH, encodeRequest, decodeResponse, REQUEST, (error) => {
      if (error === null) resolve()
      else reject(error)
    })
    return promise
  }
  return {
    during: (_, work) => work(call),
    [Symbol.asyncDispose]: async () => client.close(),
  }
}

const COMMON = { environment: 'bench', clock: systemClock, log: SILENT_LOGGER } as const

/** Ours: the caller is proven, the request checked, counted and traced as in every service. */
export async function openOurServer(callerKey: PrivateJwk): Promise<RpcServerSide> {
  const ends = new AsyncDisposableStack()
  const authenticator = ends.use(
    createAuthenticator({
      ...COMMON,
      service: 'inventory',
      peerKeys: { keys: [publicHalfOf(callerKey)] },
      source: NOBODY_REVOKED,
    }),
  )
  const server = await startRpcServer({
    ...COMMON,
    ...SERVICE,
    ...{ host: HOST, port: 0, definition: InventoryServiceDefinition, authenticator },
    secret: Buffer.alloc(32, 'bench'),
    isReady: () => true,
    descriptors: await readFile(DESCRIPTOR_SET_PATH),
  })
  ends.use(server)
  return { address: server.address, [Symbol.asyncDispose]: () => ends.disposeAsync() }
}

/** A client as services have it, and two that take the first refusal for their answer. */
export function openOurClient(address: string, callerKey: PrivateJwk): RpcClientSide<OurWay> {
  const ends = new AsyncDisposableStack()
  const tokens = createServiceTokenSource({ service: 'checkout', privateJwk: callerKey, ...COMMON })
  const clientFor = (how: Pick<Options, 'breaker' | 'retries'> & Partial<Options>) =>
    ends.use(
      createRpcClient({
        definition: InventoryServiceDefinition,
        to: 'inventory',
        addresses: [address],
        timeoutMs: CALL_LIMIT_MS,
        ...COMMON,
        ...how,
      }),
    )
  const noRetry = { retries: 'none', breaker: 'off' } as const
  const usual = clientFor({ retries: 'unavailable', breaker: 'on', tokens })
  const impatient = clientFor({ ...noRetry, tokens })
  const stranger = clientFor(noRetry)
  const wrong = { ...REQUEST, holdId: 'hld_of-nothing' }
  const calls: Readonly<Record<OurWay, () => Promise<void>>> = {
    served: () => placeHold(usual, REQUEST),
    shed: () => refused('OVERLOADED', placeHold(impatient, REQUEST)),
    'no-token': () => refused('TOKEN_MISSING', placeHold(stranger, REQUEST)),
    'wrong-field': () => refused('INVALID_FIELD', placeHold(impatient, wrong)),
  }
  return {
    during: async (way, work) => {
      if (way !== 'shed') return work(calls[way])
      await using _ = crowd(impatient)
      await eventually(calls.shed, { withinMs: CALL_LIMIT_MS })
      return await work(calls.shed)
    },
    [Symbol.asyncDispose]: () => ends.disposeAsync(),
  }
}

async function placeHold(client: InventoryClient, request: PlaceHoldRequest): Promise<void> {
  await client.placeHold(request, scopeFor({ timeoutMs: CALL_LIMIT_MS, clock: systemClock }))
}

/** A call that must be refused for this reason; anything else ends the benchmark. */
async function refused(reason: string, call: Promise<void>): Promise<void> {
  const got = await call.then(
    () => 'served',
    (error: unknown) => (isHoldfastError(error) ? error.reason : String(error)),
  )
  if (got !== reason) throw new Error(`A call to be refused as ${reason} was ${got}.`)
}

/** Takes every place of the server by calls that wait until this is disposed. */
function crowd(client: InventoryClient): AsyncDisposable {
  const leaving = new AbortController()
  const deadlineAtMs = systemClock.monotonicMs() + CROWD_MS_MAX
  const calls = Array.from({ length: IN_FLIGHT_MAX }, async () =>
    client
      .getHold({ holdId: REQUEST.holdId }, { deadlineAtMs, signal: leaving.signal })
      .catch(() => undefined),
  )
  return {
    [Symbol.asyncDispose]: async () => {
      leaving.abort()
      await Promise.all(calls)
    },
  }
}

type InventoryClient = RpcClient<InventoryServiceDefinition>
type Options = RpcClientOptions<InventoryServiceDefinition>

const NOBODY_REVOKED = {
  listRevocations: async () => ({ revocations: [], cursor: 'none', hasMore: false }),
  getKeySet: async () => ({ keys: [] }),
  validateSession: async () => 'live' as const,
}

const METHODS = Object.keys(InventoryServiceDefinition.methods)

function each(value: unknown, own: Readonly<Record<string, unknown>> = {}): never {
  return { ...Object.fromEntries(METHODS.map((name) => [name, value])), ...own } as never
}

const quantity = integerField({ min: 1, max: 10_000 })

/** PlaceHold as inventory checks it, without its database; GetHold waits for its caller to go. */
const SERVICE = {
  schemas: each(z.looseObject({}), {
    placeHold: z.object({
      requestId: requestIdField,
      holdId: idField('hold'),
      orderId: idField('order'),
      lines: z
        .array(z.object({ itemId: idField('stockItem'), quantity }))
        .min(1)
        .max(100),
    }),
  }),
  access: each(
    { allow: ['service:checkout'], class: 'checkout' },
    { getHold: { allow: ['service'], class: 'pay' } },
  ),
  handlers: each(
    async () => {
      throw new NotFound('HOLD_NOT_FOUND', 'There is no such hold.')
    },
    {
      placeHold: async (request: PlaceHoldRequest, call: CallContext) => {
        // As every handler that changes something: what was asked is hashed for its repeats.
        call.requestKey(request.requestId)
        return RESPONSE
      },
      getHold: async (_: unknown, call: CallContext) => {
        await once(call.signal, 'abort')
        return {}
      },
    },
  ),
}
