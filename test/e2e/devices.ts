import { execFileSync } from 'node:child_process'
import { fillCart, type WantedOffer } from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { eventually } from '@holdfast/testkit'
import { expect } from 'vitest'
import type { Marketplace } from '../marketplace.ts'
import { type Guest, openGuest } from './guest.ts'

/** Time for a step of the traffic: all devices share two cores with everything else. */
export const TRAFFIC_MS = 30_000

/** Most units of one line of a cart. */
const UNITS_MAX = 99

/** A guest with a session that is refreshed, and with a cart. */
export interface Device {
  /** Refreshes its session, puts a unit into its cart and reads all units back (I7). */
  use(): Promise<void>
  /** Uses that ended well. */
  readonly uses: number
  /** Units that were acknowledged: the cart has them, and no others. */
  readonly units: number
  readonly guest: Guest
}

/** A guest with an empty cart, who buys units of this offer. */
export async function openDevice(marketplace: Marketplace, offer: WantedOffer): Promise<Device> {
  const guest = await openGuest(marketplace.stage())
  const { actor } = guest
  let [units, uses] = [0, 0]
  return {
    use: async () => {
      await guest.refresh()
      if (units < UNITS_MAX) {
        await fillCart(actor, [offer])
        units += 1
      }
      const cart = await actor.ask(async (scope) =>
        actor.clients.cart.getCart({ cartId: '' }, scope),
      )
      expect(cart.lines.map(({ quantity }) => quantity)).toEqual([units])
      uses += 1
    },
    get uses() {
      return uses
    },
    get units() {
      return units
    },
    guest,
  }
}

/** Commands as a person types them; answers what Redis said. Fails as redis-cli does. */
export function redisCommands(marketplace: Marketplace, commands: readonly string[]): string {
  const redis = marketplace.endpoints().backing.find((one) => one.name === 'redis')
  const [host = '', port = ''] = present(redis, 'Redis').address.split(':')
  const input = commands.map((command) => `${command}\n`).join('')
  return execFileSync('redis-cli', ['-h', host, '-p', port], { input, encoding: 'utf8' })
}

/** Every device is used once, all at once. */
export async function useAll(devices: readonly Device[]): Promise<void> {
  await Promise.all(devices.map((device) => device.use()))
}

/** Uses every device again and again until it is stopped; a use that fails, fails the test. */
export function startTraffic(devices: readonly Device[]) {
  const stop = new AbortController()
  const running = Promise.all(
    devices.map(async (device) => {
      while (!stop.signal.aborted) await device.use()
    }),
  )
  // Told where the traffic is awaited, not as a rejection that nobody handles.
  running.catch(() => undefined)
  const over = async <T>(work: Promise<T>): Promise<T> => {
    const first = await Promise.race([running.then(() => undefined), work.then((value) => [value])])
    return present(first?.[0], 'the traffic')
  }
  return {
    /** Every device has begun and ended a use from now on. */
    goOn: async () => {
      const before = devices.map(({ uses }) => uses)
      const isSo = () => devices.every(({ uses }, index) => uses >= (before[index] ?? 0) + 2)
      await over(eventually(() => isSo() && 'yes', { withinMs: TRAFFIC_MS }))
    },
    until: async (check: () => Promise<boolean>) =>
      over(eventually(async () => (await check()) && 'yes', { withinMs: TRAFFIC_MS })),
    stop: async () => {
      stop.abort()
      await running
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await running.catch(() => undefined)
    },
  }
}
