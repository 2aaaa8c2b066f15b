import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createPaymentSimulator,
  type PaymentSimulator,
  SIMULATOR_DEFAULTS,
} from '@holdfast/payment-simulator'

/** What the provider knows its customer by. */
export const API_KEY = 'sk_sim_test'
/** What the provider signs its webhooks with. */
export const WEBHOOK_SECRET = 'whsec_test'

/** The provider as a test asks it: it knows better than the product who was charged. */
export interface ProviderUnderTest {
  readonly url: string
  readonly apiKey: string
  /** Rows of its own ledger for one payment. */
  rows(list: 'charges' | 'transactions', ref: string): Promise<readonly ProviderRow[]>
  intents(ref: string): Promise<readonly ProviderRow[]>
  /** Orders a failure for the next calls of a payment. */
  order(order: {
    readonly ref: string
    readonly operation: string
    readonly script: string | object
    readonly times?: number
  }): Promise<void>
  /** Forgets what was ordered. */
  clearOrders(): Promise<void>
  post(path: string, body: object): Promise<Response>
  /** Ends and starts it again on its ledger and address. */
  stop(): Promise<void>
  start(): Promise<void>
}

/** What these tests look at of an object of the provider. */
export interface ProviderRow {
  readonly id: string
  readonly state: string
  readonly amountMinor: string
}

/** Starts a provider on a ledger that outlives its stops; webhooks go to `webhookUrl`. */
export async function startProvider(
  webhookUrl: string,
  keyLifetimeMs: number | undefined,
): Promise<ProviderUnderTest & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'payment-'))
  const port = await freePort()
  const open = (): Promise<PaymentSimulator> =>
    createPaymentSimulator({
      ...SIMULATOR_DEFAULTS,
      port,
      dataFolder: folder,
      apiKey: API_KEY,
      webhookUrl,
      webhookSecret: WEBHOOK_SECRET,
      webhookRetryMs: 50,
      lateWebhookMs: 500,
      ...(keyLifetimeMs === undefined ? {} : { keyLifetimeMs }),
    })
  let running: PaymentSimulator | undefined = await open()
  const { url } = running
  const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' }
  const list = async (path: string): Promise<readonly ProviderRow[]> => {
    const response = await fetch(`${url}${path}`, { headers })
    return ((await response.json()) as { data: ProviderRow[] }).data
  }
  const post = (path: string, body: object) =>
    fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
  const stop = async () => {
    await running?.[Symbol.asyncDispose]()
    running = undefined
  }
  return {
    url,
    apiKey: API_KEY,
    rows: (name, ref) => list(`/v1/${name}?limit=500&ref=${ref}`),
    intents: (ref) => list(`/v1/intents?ref=${ref}`),
    order: async (order) => {
      const answer = await post('/admin/scripts', order)
      if (answer.status !== 201) throw new Error(`not ordered: ${await answer.text()}`)
    },
    clearOrders: async () => {
      await fetch(`${url}/admin/scripts`, {
        method: 'DELETE',
        headers: { authorization: headers.authorization },
      })
    },
    post,
    stop,
    start: async () => {
      running = await open()
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A port of loopback that nobody uses now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
