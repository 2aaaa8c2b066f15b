import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type Endpoints,
  firstOperator,
  logIn,
  openShop,
  serviceAddresses,
  type Shop,
  type Stage,
} from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { databaseName, roleName } from '@holdfast/pg'
import type { ServiceName } from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { Pool } from 'pg'
import { parseScrape, type Sample } from './prometheus.ts'

/** A whole marketplace as child processes, with its own servers and data. */
export interface Marketplace {
  /** What runs at present; read anew each time, since a process that died comes back. */
  endpoints(): Endpoints
  /** Where actors find it at present. */
  stage(): Stage
  /** A seller who joined, was approved and sells one article. */
  openShop(options: { readonly units: number; readonly priceMinor?: bigint }): Promise<Shop>
  /** Ends a process at once by SIGKILL and returns when another pid has taken its place. */
  killAndAwaitReturn(name: string, copy?: number): Promise<void>
  /** The same for every copy of a process at once; answers the time just before the kill. */
  killAllAndAwaitReturn(name: string): Promise<Date>
  /** Sends a signal to every copy of a process, or to a server. Fails when none runs. */
  signal(name: string, signal: NodeJS.Signals): void
  /** From now on the provider does what it is asked to, and nobody hears of it. */
  silenceProvider(silence: ProviderSilence): Promise<void>
  /** Ends every silence of the provider. Idempotent. */
  endProviderSilence(): Promise<void>
  /** What the payment provider itself charged for one payment, by its own ledger. */
  chargesOf(ref: string): Promise<readonly ProviderCharge[]>
  /** Every charge in the provider's own ledger, oldest first. */
  charges(): Promise<readonly ProviderCharge[]>
  /** Money that moved for one payment, by the provider's own ledger. */
  transactionsOf(ref: string): Promise<readonly ProviderTransaction[]>
  /** All money that moved by the provider's own ledger, oldest first. */
  transactions(): Promise<readonly ProviderTransaction[]>
  /**
   * One metric of a process as each of its copies tells it, by copy: the sum of the lines that have
   * all of these texts in their labels, 0 where there is none.
   */
  metricByCopy(process: string, name: string, ...labels: string[]): Promise<readonly number[]>
  /** Resolves when every process is there and ready. */
  awaitAll(): Promise<void>
  /** A few connections to a service's database as its owner, to look; the caller ends them. */
  openDatabase(service: ServiceName, connectionsMax?: number): Pool
}

/** One charge in the provider's own ledger: an amount it authorised, captured or not. */
export interface ProviderCharge {
  readonly ref: string
  readonly currency: string
  readonly amountMinor: string
}

/** Money that moved in the provider's own ledger: a capture, or a refund, which is negative. */
export interface ProviderTransaction {
  readonly kind: 'capture' | 'refund'
  readonly ref: string
  readonly currency: string
  readonly amountMinor: string
}

/** How many calls of each kind the provider leaves without an answer. */
export interface ProviderSilence {
  readonly confirms: number
  readonly captures: number
  readonly reads: number
}

/** The marketplace that runs on this data folder. */
export function marketplaceOn(dataFolder: string): Marketplace {
  const endpoints = (): Endpoints => {
    return JSON.parse(readFileSync(join(dataFolder, 'endpoints.json'), 'utf8')) as Endpoints
  }
  const stage = (): Stage => ({
    addresses: serviceAddresses(endpoints()),
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  return {
    endpoints,
    stage,
    openShop: async ({ units, priceMinor = 1_250n }) => {
      await using operator = await logIn(stage(), firstOperator(endpoints()), 'operator')
      return await openShop(stage(), operator, {
        displayName: 'Lamp Works',
        countryCode: 'DE',
        currency: 'EUR',
        article: { sku: 'LAMP-1', title: 'Desk lamp', priceMinor, units },
        shippingMinor: 490n,
      })
    },
    killAndAwaitReturn: async (name, copy = 1) => killAndAwaitReturn(endpoints, name, copy),
    killAllAndAwaitReturn: async (name) => killAllAndAwaitReturn(endpoints, name),
    signal: (name, signal) => {
      for (const pid of pidsOf(endpoints(), name)) process.kill(pid, signal)
    },
    silenceProvider: async (silence) => silenceProvider(endpoints(), silence),
    endProviderSilence: async () => {
      await askProvider(endpoints(), '/admin/scripts', { method: 'DELETE' })
    },
    chargesOf: async (ref) => readProvider<ProviderCharge>(endpoints(), '/v1/charges', ref),
    charges: async () => readProvider<ProviderCharge>(endpoints(), '/v1/charges'),
    transactionsOf: async (ref) =>
      readProvider<ProviderTransaction>(endpoints(), '/v1/transactions', ref),
    transactions: async () => readProvider<ProviderTransaction>(endpoints(), '/v1/transactions'),
    metricByCopy: async (process, name, ...labels) =>
      Promise.all(
        endpoints()
          .processes.filter((one) => one.name === process)
          .map(async (one) => sumOfMetric(one.operationsAddress, name, labels)),
      ),
    awaitAll: async () => awaitAll(endpoints),
    openDatabase: (service, connectionsMax = 2) =>
      openDatabase(endpoints(), service, connectionsMax),
  }
}

async function sumOfMetric(
  address: string | undefined,
  name: string,
  labels: readonly string[],
): Promise<number> {
  const text = await (await fetch(`http://${present(address, 'its metrics')}/metrics`)).text()
  return parseScrape(text)
    .filter((sample) => sample.name === name)
    .filter((sample) => labels.every((label) => labelText(sample).includes(label)))
    .reduce((sum, { value }) => sum + value, 0)
}

/** The labels of a sample as a scrape has them: `a="x",b="y"`. */
function labelText({ labels }: Sample): string {
  return Object.entries(labels)
    .map(([label, value]) => `${label}="${value}"`)
    .join(',')
}

/** A process that died starts within it, with a fraction of two cores, ms. */
const BACK_WITHIN_MS = 60_000

async function awaitAll(endpoints: () => Endpoints): Promise<void> {
  await eventually(
    async () => {
      for (const { name, pid, operationsAddress } of endpoints().processes) {
        if (pid === undefined) throw new Error(`${name} is not back.`)
        if (operationsAddress === undefined) continue
        const { ok } = await fetch(`http://${operationsAddress}/readyz`)
        if (!ok) throw new Error(`${name} is not ready.`)
      }
    },
    { withinMs: BACK_WITHIN_MS },
  )
}

function openDatabase(
  { backing, secretsFolder }: Endpoints,
  service: ServiceName,
  connectionsMax: number,
): Pool {
  const postgres = present(
    backing.find((one) => one.name === 'postgres'),
    'Postgres',
  )
  const url = new URL(`postgres://${postgres.address}/${databaseName(service)}`)
  url.username = roleName(service, 'owner')
  const file = join(secretsFolder, `${service}-database-owner-password`)
  url.password = readFileSync(file, 'utf8').trim()
  const pool = new Pool({ connectionString: url.href, max: connectionsMax })
  // A connection that breaks fails the query on it, which tells.
  pool.on('error', () => undefined)
  return pool
}

async function killAndAwaitReturn(
  endpoints: () => Endpoints,
  name: string,
  copy: number,
): Promise<void> {
  const findPid = (): number | undefined => {
    const { processes, backing } = endpoints()
    const found = processes.find((one) => one.name === name && one.copy === copy)
    return found === undefined ? backing.find((one) => one.name === name)?.pid : found.pid
  }
  const before = findPid()
  if (before === undefined) throw new Error(`There is no process ${name} ${copy}.`)
  process.kill(before, 'SIGKILL')
  await eventually(
    () => {
      const after = findPid()
      if (after === undefined || after === before) throw new Error(`${name} is not back.`)
    },
    { withinMs: 30_000 },
  )
}

/** What runs under this name, every copy of it. */
function pidsOf({ processes, backing }: Endpoints, name: string): readonly number[] {
  const found = [...processes, ...backing].filter((one) => one.name === name)
  if (found.length === 0) throw new Error(`There is no process ${name}.`)
  return found.map(({ pid }) => present(pid, `the process id of ${name}`))
}

async function killAllAndAwaitReturn(endpoints: () => Endpoints, name: string): Promise<Date> {
  const before = pidsOf(endpoints(), name)
  const killedAt = systemClock.now()
  for (const pid of before) process.kill(pid, 'SIGKILL')
  await eventually(() => !pidsOf(endpoints(), name).some((pid) => before.includes(pid)), {
    withinMs: BACK_WITHIN_MS,
  })
  return killedAt
}

async function silenceProvider(endpoints: Endpoints, silence: ProviderSilence): Promise<void> {
  const script = { effect: 'yes', answer: 'timeout', webhook: 'never' }
  const orders = [
    { operation: 'confirm', times: silence.confirms },
    { operation: 'capture', times: silence.captures },
    { operation: 'get', times: silence.reads },
  ]
  for (const order of orders) {
    const body = JSON.stringify({ ref: '*', script, ...order })
    await askProvider(endpoints, '/admin/scripts', { method: 'POST', body })
  }
}

/** One call of the provider's own HTTP interface, with its key; fails unless it is answered 2xx. */
async function askProvider(
  { secretsFolder, paymentSimulator }: Endpoints,
  path: string,
  request: { readonly method: string; readonly body?: string },
): Promise<unknown> {
  const key = readFileSync(join(secretsFolder, 'payment-provider-key'), 'utf8').trim()
  const json = request.body === undefined ? {} : { 'content-type': 'application/json' }
  const headers = { authorization: `Bearer ${key}`, ...json }
  const answer = await fetch(`${paymentSimulator}${path}`, { ...request, headers })
  if (!answer.ok) throw new Error(`The provider answers ${answer.status} to ${path}.`)
  return answer.json()
}

interface ProviderPage<T> {
  readonly data: readonly T[]
  readonly next: number
  readonly hasMore: boolean
}

/** Bound on pages read: 500,000 rows are more than any run makes. */
const PAGES_MAX = 1_000

async function readProvider<T>(
  endpoints: Endpoints,
  path: string,
  ref?: string,
): Promise<readonly T[]> {
  const found: T[] = []
  let after = 0
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ limit: '500', after: String(after) })
    if (ref !== undefined) query.set('ref', ref)
    const answer = await askProvider(endpoints, `${path}?${query.toString()}`, { method: 'GET' })
    const { data, next, hasMore } = answer as ProviderPage<T>
    found.push(...data)
    if (!hasMore) return found
    after = next
  }
  throw new Error(`The provider has more than ${PAGES_MAX} pages of ${path}.`)
}
