import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectFaultProxies } from '@holdfast/backing'
import { present, unreachable } from '@holdfast/kernel'
import { eventually } from '@holdfast/testkit'
import type { Marketplace } from '../marketplace.ts'
import type { Fault } from './faults.ts'
import { letPass } from '../pace.ts'

/** Purchases come to every crash point within this time, with a restart between two, or never. */
const REACHED_WITHIN_MS = 120_000

/**
 * Makes one fault happen and mends it; resolves when what died is there again. Fails when nothing
 * was hit: a crash point that nobody came to, a link that does not exist.
 */
export async function strike(marketplace: Marketplace, fault: Fault): Promise<void> {
  switch (fault.kind) {
    case 'kill':
      await marketplace.killAllAndAwaitReturn(fault.target)
      return
    case 'freeze':
      await freeze(marketplace, fault)
      return
    case 'crash':
      await crash(marketplace, fault.points)
      return
    case 'link':
      await failLinks(marketplace, fault)
      return
    default:
      unreachable(fault)
  }
}

async function freeze(
  marketplace: Marketplace,
  { target, forMs }: Extract<Fault, { kind: 'freeze' }>,
): Promise<void> {
  marketplace.signal(target, 'SIGSTOP')
  try {
    await letPass(forMs)
  } finally {
    marketplace.signal(target, 'SIGCONT')
  }
}

async function crash(marketplace: Marketplace, points: readonly string[]): Promise<void> {
  const { crashPointsFolder } = marketplace.endpoints()
  const folder = present(crashPointsFolder, 'a marketplace started with --faults')
  for (const point of points) writeFileSync(join(folder, point), '')
  await eventually(
    () => {
      const left = points.filter((point) => existsSync(join(folder, point)))
      if (left.length > 0) throw new Error(`Nobody came to ${left.join(', ')}.`)
    },
    { withinMs: REACHED_WITHIN_MS },
  )
  await marketplace.awaitAll()
}

async function failLinks(
  marketplace: Marketplace,
  { from, to, how, forMs }: Extract<Fault, { kind: 'link' }>,
): Promise<void> {
  const { faultProxy } = marketplace.endpoints()
  const proxies = connectFaultProxies(present(faultProxy, 'a marketplace started with --faults'))
  const pattern = new RegExp(`^${from}(-\\d+)?-to-${to}(-\\d+)?$`)
  const links = (await proxies.names()).filter((name) => pattern.test(name))
  if (links.length === 0) throw new Error(`There is no link from ${from} to ${to}.`)
  await Promise.all(links.map(async (name) => proxies.fail(name, how)))
  try {
    await letPass(forMs)
  } finally {
    await Promise.all(links.map(async (name) => proxies.heal(name)))
  }
}
