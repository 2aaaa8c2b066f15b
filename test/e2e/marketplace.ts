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
import { inject } from 'vitest'

declare module 'vitest' {
  interface ProvidedContext {
    marketplaceFolder: string
  }
}

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
  /** What the payment provider itself charged, by its own ledger. */
  chargesOf(ref: string): Promise<readonly ProviderCharge[]>
}

/** One charge in the provider's own ledger. */
export interface ProviderCharge {
  readonly ref: string
  readonly currency: string
  readonly amountMinor: string
  readonly state?: string
}

/** The marketplace that this suite runs against, started once by `setup.ts`. */
export function openMarketplace(): Marketplace {
  const dataFolder = inject('marketplaceFolder')
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
    chargesOf: async (ref) => chargesOf(endpoints(), ref),
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

async function chargesOf(endpoints: Endpoints, ref: string): Promise<readonly ProviderCharge[]> {
  const key = readFileSync(join(endpoints.secretsFolder, 'payment-provider-key'), 'utf8').trim()
  const url = `${endpoints.paymentSimulator}/v1/charges?limit=500&ref=${encodeURIComponent(ref)}`
  const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } })
  return ((await answer.json()) as { data: readonly ProviderCharge[] }).data
}
