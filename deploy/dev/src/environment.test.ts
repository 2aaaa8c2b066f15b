import { expect, test } from 'vitest'
import { SURROUNDINGS } from '../test/surroundings.ts'
import { parseCopies } from './copies.ts'
import { serviceEnvironment } from './environment.ts'
import { fixedPortPlan } from './ports.ts'

function environmentOf(name: string): Record<string, string> {
  const planned = fixedPortPlan(parseCopies('')).processes.find((one) => one.name === name)
  if (planned === undefined) throw new Error(`${name} is not planned`)
  return serviceEnvironment(planned, SURROUNDINGS)
}

test('a process gets variables of its own service alone', () => {
  for (const { name, kind } of fixedPortPlan(parseCopies('')).processes) {
    const prefix = `HOLDFAST_${kind.service.toUpperCase()}_`
    expect(Object.keys(environmentOf(name)).filter((key) => !key.startsWith(prefix))).toEqual([])
  }
})

test('secrets are told by file and a database by the app role without its password', () => {
  expect(environmentOf('inventory')).toEqual({
    HOLDFAST_INVENTORY_LISTEN_ADDRESS: '127.0.0.1:7120',
    HOLDFAST_INVENTORY_OPERATIONS_ADDRESS: '127.0.0.1:9120',
    HOLDFAST_INVENTORY_DATABASE_URL:
      'postgres://holdfast_inventory_app@127.0.0.1:7432/holdfast_inventory',
    HOLDFAST_INVENTORY_DATABASE_PASSWORD_FILE: '/s/inventory-app',
    HOLDFAST_INVENTORY_NATS_URL: 'nats://127.0.0.1:7222',
    HOLDFAST_INVENTORY_SERVICE_KEY_FILE: '/s/inventory-key',
    HOLDFAST_INVENTORY_PEER_KEYS_FILE: '/s/peers',
    HOLDFAST_INVENTORY_PAGE_TOKEN_KEY_FILE: '/s/inventory-page',
    HOLDFAST_INVENTORY_SESSION_ADDRESSES: 'session:1,session:2',
  })
})
