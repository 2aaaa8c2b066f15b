import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import {
  createRpcClient,
  createServiceTokenSource,
  type PrivateJwk,
  publicHalfOf,
  type RpcClient,
} from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually, newPrivateJwk, type TestDatabase } from '@holdfast/testkit'
import { VAULT_KEYS } from './payment-under-test.ts'
import { API_KEY, freePort, WEBHOOK_SECRET } from './provider-under-test.ts'

/** Starts of Node on two busy cores. */
const READY = { withinMs: 60_000 }

/** The service as its real processes, to be killed. */
export interface PaymentProcesses extends AsyncDisposable {
  /** Starts a copy of an entry point; `crashPoint` ends it by SIGKILL when it is reached. */
  start(entry: 'main' | 'main-jobs', crashPoint?: string): Promise<PaymentProcess>
}

/** One process. */
export interface PaymentProcess {
  /** Checkout, calling this copy; only of `main`. */
  readonly checkout: RpcClient<PaymentServiceDefinition>
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** Prepares keys and settings of processes on this database and provider. */
export async function preparePayment(options: {
  readonly database: TestDatabase
  readonly providerUrl: string
  readonly callLimitMs: number
}): Promise<PaymentProcesses> {
  const folder = await mkdtemp(join(tmpdir(), 'payment-process-'))
  const keys = { payment: newPrivateJwk('payment.1'), checkout: newPrivateJwk('checkout.1') }
  const file = async (name: string, content: unknown): Promise<string> => {
    const path = join(folder, name)
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  const shared = {
    DATABASE_URL: options.database.url('app'),
    DATABASE_PASSWORD_FILE: await file('password', options.database.password),
    NATS_URL: backing().natsUrl,
    PROVIDER_URL: options.providerUrl,
    PROVIDER_KEY_FILE: await file('provider-key', API_KEY),
    PROVIDER_CALL_LIMIT_MS: options.callLimitMs.toString(),
    VAULT_KEY_FILE: await file('vault.json', VAULT_KEYS),
  }
  const serving = {
    SERVICE_KEY_FILE: await file('key.json', keys.payment),
    PEER_KEYS_FILE: await file('peers.json', { keys: Object.values(keys).map(publicHalfOf) }),
    PAGE_TOKEN_KEY_FILE: await file('page', randomBytes(32).toString('base64')),
    WEBHOOK_SECRET_FILE: await file('webhook', WEBHOOK_SECRET),
    // Nobody is there: calls of services need no session service.
    SESSION_ADDRESSES: '127.0.0.1:1',
  }
  const children: ChildProcess[] = []
  return {
    start: async (entry, crashPoint) => {
      const [grpc, http, operations] = await Promise.all([freePort(), freePort(), freePort()])
      const doors = {
        LISTEN_ADDRESS: `127.0.0.1:${grpc}`,
        HTTP_LISTEN_ADDRESS: `127.0.0.1:${http}`,
      }
      const settings: Record<string, string> = {
        OPERATIONS_ADDRESS: `127.0.0.1:${operations}`,
        ...shared,
        ...(entry === 'main' ? { ...serving, ...doors } : {}),
      }
      const crashPoints = await mkdtemp(join(folder, 'crash-points-'))
      if (crashPoint !== undefined) await writeFile(join(crashPoints, crashPoint), '')
      const child = spawnEntry(entry, settings, crashPoints)
      children.push(child)
      const ended = once(child, 'exit').then(
        ([code, signal]: unknown[]) => (code ?? signal) as number | string,
      )
      await eventually(async () => {
        if (child.exitCode !== null) return true
        return (await fetch(`http://127.0.0.1:${operations}/readyz`)).ok
      }, READY)
      return {
        checkout: clientFor(`127.0.0.1:${grpc}`, keys.checkout),
        kill: (signal) => void child.kill(signal),
        ended,
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of children) child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function spawnEntry(
  entry: string,
  settings: Readonly<Record<string, string>>,
  crashPointsFolder: string,
): ChildProcess {
  const env: Record<string, string> = { HOLDFAST_CRASH_POINTS_FOLDER: crashPointsFolder }
  for (const [name, value] of Object.entries(settings)) env[`HOLDFAST_PAYMENT_${name}`] = value
  const path = fileURLToPath(new URL(`../src/${entry}.ts`, import.meta.url))
  return spawn(process.execPath, [path], { env, stdio: ['ignore', 'ignore', 'inherit'] })
}

function clientFor(address: string, privateJwk: PrivateJwk): RpcClient<PaymentServiceDefinition> {
  return createRpcClient({
    definition: PaymentServiceDefinition,
    to: 'payment',
    addresses: [address],
    tokens: createServiceTokenSource({
      service: 'checkout',
      environment: 'development',
      privateJwk,
      clock: systemClock,
    }),
    retries: 'none',
    breaker: 'off',
    timeoutMs: 20_000,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
}
