import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectFaultProxies } from '@holdfast/backing'
import { STOCK_STREAM } from '@holdfast/bus'
import type { Shop } from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { deleteStream, eventually } from '@holdfast/testkit'
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'
import {
  allEqualTheTruth,
  openBus,
  receiveUnit,
  startChanges,
  watchStream,
  watchViews,
} from './stock-feed.ts'

/** A lease moves within 10 s; the rest is for a busy machine, ms. */
const TAKEN_OVER_WITHIN_MS = 30_000
/** Above the 2 s that a publish may take: what waits so long was sent and got no answer, ms. */
const SENT_AND_LOST_MS = 2_500
/** Changes of each shop before and after a fault: they run while it begins and while it ends. */
const CHANGES = 10
/** Looks at each view while it is told old news. */
const READS = 50

const marketplace = openMarketplace()
const bus = openBus(marketplace)
let shops: readonly Shop[]
/** The stock of the last shop changes in none of these tests. */
let busy: readonly Shop[]

beforeAll(async () => {
  shops = await Promise.all([10, 20, 30].map((units) => marketplace.openShop({ units })))
  busy = shops.slice(0, 2)
  await allEqualTheTruth(marketplace, bus, shops)
})

/** Whatever a test that failed left behind is over for the next one. */
afterEach(async () => {
  for (const name of ['inventory-jobs', 'nats']) marketplace.signal(name, 'SIGCONT')
  for (const name of await faultyLinks()) await proxies().heal(name)
})

afterAll(async () => {
  for (const shop of shops) await shop[Symbol.asyncDispose]()
  await bus[Symbol.asyncDispose]()
})

const proxies = () =>
  connectFaultProxies(present(marketplace.endpoints().faultProxy, 'a marketplace with faults'))

/** The links on which these tests make something fail. */
async function faultyLinks(): Promise<readonly string[]> {
  const names = await proxies().names()
  return names.filter((name) => /^(inventory-jobs-\d-to-nats|seller-jobs-\d-to-inv)/.test(name))
}

const natsLink = (copy: number) => `inventory-jobs-${copy}-to-nats`

/** Age of what each copy of the relay waits to publish, ms; 0 where another has the lease. */
async function waitingMs(): Promise<readonly number[]> {
  return marketplace.metricByCopy('inventory-jobs', 'holdfast_outbox_oldest_ms', 'feed="stock"')
}

function signalRelay(copy: number, signal: NodeJS.Signals): void {
  const { processes } = marketplace.endpoints()
  const found = processes.find((one) => one.name === 'inventory-jobs' && one.copy === copy)
  process.kill(present(found?.pid, 'the relay'), signal)
}

async function leaseHolder(): Promise<string> {
  const pool = marketplace.openDatabase('inventory', 1)
  try {
    const { rows } = await pool.query<{ holder: string }>(
      `SELECT holder FROM outbox_lease WHERE feed = 'stock' AND expires_at > clock_timestamp()`,
    )
    return present(rows[0], 'a relay with the lease').holder
  } finally {
    await pool.end()
  }
}

/** Fills streams again, as the relay counts it. */
async function resends(): Promise<number> {
  const byCopy = await marketplace.metricByCopy('inventory-jobs', 'holdfast_outbox_resends_total')
  return byCopy.reduce((sum, one) => sum + one, 0)
}

/** Times that the views were made anew since the feed began another life. */
async function snapshots(): Promise<number> {
  const name = 'holdfast_seller_stock_snapshots_total'
  const byCopy = await marketplace.metricByCopy('seller-jobs', name, 'reason="new-epoch"')
  return byCopy.reduce((sum, one) => sum + one, 0)
}

async function isFilledAgain(before: number): Promise<void> {
  await eventually(async () => (await resends()) > before, { withinMs: TAKEN_OVER_WITHIN_MS })
}

/**
 * Whatever the relay sends from now on waits on its way; answers its copy once something does, and
 * the relay has given up hope of an answer.
 */
async function holdUpTheRelay(): Promise<number> {
  await Promise.all([1, 2].map(async (copy) => proxies().fail(natsLink(copy), 'hold-requests')))
  const copy = await eventually(
    async () => {
      const index = (await waitingMs()).findIndex((ageMs) => ageMs > SENT_AND_LOST_MS)
      return index >= 0 && index + 1
    },
    { withinMs: TAKEN_OVER_WITHIN_MS },
  )
  await proxies().heal(natsLink(3 - copy))
  return copy
}

async function isTakenFrom(holder: string): Promise<string> {
  return eventually(
    async () => {
      const next = await leaseHolder()
      return next !== holder && next
    },
    { withinMs: TAKEN_OVER_WITHIN_MS },
  )
}

test('I18: what a paused relay had sent comes late and replaces nothing', async () => {
  await using stream = watchStream(bus)
  await using views = watchViews(shops)
  await using changes = startChanges(busy)
  await changes.goOn(CHANGES)
  const late = await holdUpTheRelay()
  const lateHolder = await leaseHolder()
  signalRelay(late, 'SIGSTOP')
  const next = await isTakenFrom(lateHolder)
  await changes.stop()
  await allEqualTheTruth(marketplace, bus, shops)
  await proxies().heal(natsLink(late))
  signalRelay(late, 'SIGCONT')
  // It has the lease again, and what it says now comes after all that was held up on its link.
  signalRelay(3 - late, 'SIGSTOP')
  expect(await isTakenFrom(next)).toBe(lateHolder)
  const told = stream.watermarks()
  await eventually(() => stream.watermarks() > told, { withinMs: TAKEN_OVER_WITHIN_MS })
  await allEqualTheTruth(marketplace, bus, shops)
  signalRelay(3 - late, 'SIGCONT')
  expect(stream.falls).toEqual([])
  expect(await views.stop()).toEqual([])
})

test('I18, I19: a stream deleted while stock changes has all its items again', async () => {
  await using views = watchViews(shops)
  await using changes = startChanges(busy)
  await changes.goOn(CHANGES)
  const before = await resends()
  await deleteStream(present(marketplace.endpoints().natsUrl, 'address of NATS'), STOCK_STREAM.name)
  await isFilledAgain(before)
  await changes.goOn(CHANGES)
  await changes.stop()
  await allEqualTheTruth(marketplace, bus, shops)
  expect(await views.stop()).toEqual([])
})

test('I18, I19: NATS back with an old copy of its streams takes no view back', async () => {
  const store = join(inject('marketplaceFolder'), 'nats', 'jetstream')
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-old-streams-'))
  await using views = watchViews(shops)
  await using changes = startChanges(busy)
  await changes.goOn(CHANGES)
  marketplace.signal('nats', 'SIGSTOP')
  cpSync(store, join(folder, 'old'), { recursive: true })
  marketplace.signal('nats', 'SIGCONT')
  await changes.goOn(CHANGES)
  const [before, snapshotsBefore] = [await resends(), await snapshots()]
  // Nobody fills the streams again before the sellers' side has read what is old in them.
  marketplace.signal('inventory-jobs', 'SIGSTOP')
  // Paused, it writes nothing more, and what it finds when it starts again is the old copy.
  marketplace.signal('nats', 'SIGSTOP')
  renameSync(store, join(folder, 'new'))
  cpSync(join(folder, 'old'), store, { recursive: true })
  await marketplace.killAndAwaitReturn('nats')
  await eventually(async () => (await snapshots()) > snapshotsBefore, {
    withinMs: TAKEN_OVER_WITHIN_MS,
  })
  await views.goOn(READS)
  marketplace.signal('inventory-jobs', 'SIGCONT')
  await isFilledAgain(before)
  await changes.goOn(CHANGES)
  await changes.stop()
  await allEqualTheTruth(marketplace, bus, shops)
  expect(await views.stop()).toEqual([])
  rmSync(folder, { recursive: true })
})

test('I18: while inventory cannot be asked, the view follows by the feed alone', async () => {
  const links = (await proxies().names()).filter((name) =>
    /^seller-jobs-\d+-to-inventory/.test(name),
  )
  expect(links.length).toBeGreaterThan(0)
  for (const link of links) await proxies().fail(link, 'refuse')
  for (let count = 0; count < CHANGES; count += 1) {
    for (const shop of busy) await receiveUnit(shop)
  }
  await allEqualTheTruth(marketplace, bus, shops)
  for (const link of links) await proxies().heal(link)
})
