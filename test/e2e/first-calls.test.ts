import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { enterAsGuest, fillCart, placeOrder, quoteCart, whereToLook } from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { Order_State } from '@holdfast/proto/checkout'
import { expect, test } from 'vitest'
import { root, runChild } from '../child.ts'
import { openMarketplace } from './marketplace.ts'

const marketplace = openMarketplace()

/** Ports that the README names, by what this suite's marketplace has in their place. */
const FIXED_GRPC_PORTS = {
  session: 7110,
  inventory: 7120,
  payment: 7130,
  seller: 7140,
  cart: 7150,
  checkout: 7160,
} as const

/** What a reader of the README pastes, block by block, told where this marketplace is. */
function pastedBlocks(): readonly string[] {
  const { services, onboardingApi, secretsFolder } = marketplace.endpoints()
  const page = readFileSync(join(root, 'README.md'), 'utf8')
  const section = present(
    page.split('\n## ').find((one) => one.startsWith('First calls')),
    'calls',
  )
  let text = section
  for (const [service, port] of Object.entries(FIXED_GRPC_PORTS)) {
    const [address] = services[service] ?? []
    text = text.replaceAll(`127.0.0.1:${port}`, present(address, service))
  }
  text = text
    .replaceAll('http://127.0.0.1:8140/v1', present(onboardingApi, 'the onboarding API'))
    .replaceAll('.holdfast/secrets', secretsFolder)
  return [...text.matchAll(/^```\n([\s\S]*?)^```$/gm)].map(([, block]) => block ?? '')
}

const BLOCK_END = '--- end of a block ---'

/** Runs the blocks in one shell, as pasted; answers what each of them printed. */
async function paste(blocks: readonly string[]): Promise<readonly string[]> {
  // A reader sees what failed; here the shell must stop at it.
  const script = ['set -euo pipefail', ...blocks].join(`\necho '${BLOCK_END}'\n`)
  const ended = await runChild({ command: 'bash', args: ['-c', script], live: false })
  expect({ exitCode: ended.exitCode, output: ended.output }).toMatchObject({ exitCode: 0 })
  return ended.output.split(`${BLOCK_END}\n`).slice(1)
}

/** The buyer of an order that was paid a moment ago, for one article of a new shop. */
async function buyOne() {
  const shop = await marketplace.openShop({ units: 100 })
  const guest = await enterAsGuest(marketplace.stage())
  const { quoteId } = await quoteCart(guest, await fillCart(guest, [shop.offer]))
  const pay = { quoteId, paymentMethodToken: 'pm_sim_ok', waitFor: 'PAID' } as const
  const order = await placeOrder(guest, pay)
  expect(order.state).toBe(Order_State.PAID)
  return { guest, order, offerId: shop.offer.offerId }
}

test('the first calls of the README succeed as they are pasted', async () => {
  const { guest } = await buyOne()
  await using _guest = guest
  const blocks = pastedBlocks()
  expect(blocks).toHaveLength(4)
  const [reads = '', operator, purchase, seller = ''] = await paste(blocks)
  expect(reads).toContain('"state": "STATE_OPEN"')
  expect(reads).toContain('holdfast.checkout.v1.CheckoutService/PlaceOrder')
  expect(operator).toBe('')
  expect(purchase?.trim()).toBe('STATE_PAID')
  const [account, application] = seller
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
  expect(account).toHaveProperty('account.account_id', expect.stringMatching(/^acc_/))
  expect(application).toHaveProperty('seller.state', 'APPLIED')
  expect(application).toHaveProperty('requirements[0].state', 'REQUIRED')
})

test('the calls that a start prints succeed as they are pasted', async () => {
  const { guest, order, offerId } = await buyOne()
  await using _guest = guest
  const accessToken = guest.accessToken()
  const endpoints = marketplace.endpoints()
  const told = whereToLook({ endpoints, order, accessToken, offerIds: [offerId] })
  const [, calls = ''] = told.split('\n\n')
  const lines = calls.trim().split('\n')
  expect(lines).toHaveLength(4)
  const [, ordered, cart, offers] = await paste(lines)
  expect(ordered).toContain('"state": "STATE_PAID"')
  expect(cart).toContain('"state": "STATE_OPEN"')
  expect(offers).toContain(offerId)
})
