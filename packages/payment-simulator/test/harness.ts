import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '@holdfast/testkit'

const API_KEY = 'sk_sim_test'
export const WEBHOOK_SECRET = 'whsec_test'
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** What a wait for something that surely comes may take. */
export const LONG = { withinMs: 20_000 }

export interface ReceivedWebhook {
  readonly body: string
  readonly signature: string
}

/** A webhook receiver whose answers a test chooses. */
export interface Receiver extends AsyncDisposable {
  readonly url: string
  readonly received: ReceivedWebhook[]
  status: number
}

export async function startReceiver(): Promise<Receiver> {
  const received: ReceivedWebhook[] = []
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
    })
    request.on('end', () => {
      const signature = String(request.headers['simulator-signature'])
      received.push({ body: Buffer.concat(chunks).toString(), signature })
      response.writeHead(receiver.status).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/webhooks`,
    received,
    status: 200,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
  return receiver
}

async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The provider as a real process on a folder that outlives it. */
export class SimulatorProcess implements AsyncDisposable {
  readonly url: string
  readonly folder: string
  readonly #environment: Record<string, string>
  #child: ChildProcess | undefined

  private constructor(url: string, folder: string, environment: Record<string, string>) {
    this.url = url
    this.folder = folder
    this.#environment = environment
  }

  static async start(settings: Record<string, string> = {}): Promise<SimulatorProcess> {
    const folder = await mkdtemp(join(tmpdir(), 'payment-simulator-'))
    const port = await freePort()
    await writeFile(join(folder, 'api-key'), `${API_KEY}\n`)
    await writeFile(join(folder, 'webhook-secret'), `${WEBHOOK_SECRET}\n`)
    const environment: Record<string, string> = {
      HOLDFAST_PAYMENT_SIMULATOR_LISTEN_ADDRESS: `127.0.0.1:${port}`,
      HOLDFAST_PAYMENT_SIMULATOR_DATA_FOLDER: join(folder, 'data'),
      HOLDFAST_PAYMENT_SIMULATOR_API_KEY_FILE: join(folder, 'api-key'),
      HOLDFAST_PAYMENT_SIMULATOR_WEBHOOK_SECRET_FILE: join(folder, 'webhook-secret'),
      HOLDFAST_PAYMENT_SIMULATOR_WEBHOOK_RETRY_MS: '50',
    }
    for (const [name, value] of Object.entries(settings)) {
      environment[`HOLDFAST_PAYMENT_SIMULATOR_${name}`] = value
    }
    const simulator = new SimulatorProcess(`http://127.0.0.1:${port}`, folder, environment)
    await simulator.run()
    return simulator
  }

  /** Starts the process and waits until it answers. */
  async run(): Promise<void> {
    const child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    this.#child = child
    await eventually(async () => {
      if (child.exitCode !== null) return true
      return (await fetch(`${this.url}/healthz`)).ok
    }, LONG)
    if (child.exitCode !== null) throw new Error(`the simulator ended with ${child.exitCode}`)
  }

  /** Ends the process by a signal and waits for its end; answers the exit code. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null) return child?.exitCode ?? null
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
    return child.exitCode
  }

  async get(path: string): Promise<{ status: number; body: Json }> {
    const response = await fetch(`${this.url}${path}`, { headers: this.#headers() })
    return { status: response.status, body: (await response.json()) as Json }
  }

  async post(
    path: string,
    body: object,
    options: { key?: string; limitMs?: number } = {},
  ): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: {
        ...this.#headers(),
        'content-type': 'application/json',
        ...(options.key === undefined ? {} : { 'idempotency-key': options.key }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(options.limitMs ?? 5_000),
    })
  }

  /** Opens an intent of 1,500 minor units and answers its id. */
  async open(ref: string): Promise<string> {
    const response = await this.post(
      '/v1/intents',
      { ref, currency: 'EUR', amountMinor: '1500' },
      { key: `${ref}:open:1` },
    )
    const { id } = (await response.json()) as { id: string }
    return id
  }

  /** The rows of a list for one reference. */
  async rows(list: 'charges' | 'transactions', ref: string): Promise<Json[]> {
    const page = await this.get(`/v1/${list}?limit=500&ref=${ref}`)
    return page.body.data
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    await rm(this.folder, { recursive: true, force: true })
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${API_KEY}` }
  }
}

/** What these tests look at of any answer. */
export interface Json {
  /** Rows of a list. */
  readonly data: Json[] & { readonly object: Json }
  readonly id: string
  readonly state: string
  readonly kind: string
  readonly amountMinor: string
  readonly authorizedMinor: string
  readonly capturedMinor: string
  readonly refundedMinor: string
  readonly actionUrl: string
  readonly error: { readonly type: string; readonly code?: string }
}
