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
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'

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
  /** What the payment provider itself charged for one payment, by its own ledger. */
  chargesOf(ref: string): Promise<readonly ProviderCharge[]>
  /** Every charge in the provider's own ledger, oldest first. */
  charges(): Promise<readonly ProviderCharge[]>
}

/** One charge in the provider's own ledger. */
export interface ProviderCharge {
  readonly ref: string
  readonly currency: string
  readonly amountMinor: string
  readonly state?: string
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
    chargesOf: async (ref) => readCharges(endpoints(), ref),
    charges: async () => readCharges(endpoints()),
  }
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

interface ChargePage {
  readonly data: readonly ProviderCharge[]
  readonly next: number
  readonly hasMore: boolean
}

/** Bound on pages read: 500,000 charges are more than any run makes. */
const PAGES_MAX = 1_000

async function readCharges(endpoints: Endpoints, ref?: string): Promise<readonly ProviderCharge[]> {
  const key = readFileSync(join(endpoints.secretsFolder, 'payment-provider-key'), 'utf8').trim()
  const found: ProviderCharge[] = []
  let after = 0
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const query = new URLSearchParams({ limit: '500', after: String(after) })
    if (ref !== undefined) query.set('ref', ref)
    const url = `${endpoints.paymentSimulator}/v1/charges?${query.toString()}`
    const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } })
    const { data, next, hasMore } = (await answer.json()) as ChargePage
    found.push(...data)
    if (!hasMore) return found
    after = next
  }
  throw new Error(`The provider has more than ${PAGES_MAX} pages of charges.`)
}
