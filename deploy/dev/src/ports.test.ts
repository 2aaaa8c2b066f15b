import { expect, test } from 'vitest'
import { parseCopies } from './copies.ts'
import { fixedPortPlan, freePortPlan, type PortPlan, processPorts } from './ports.ts'
import { SERVICES } from './processes.ts'

function allPorts(plan: PortPlan): number[] {
  const { postgres, redis, nats, temporal, temporalWebUi } = plan.backing
  const named = processPorts(plan, { faults: true })
  return [postgres, redis, nats, temporal, temporalWebUi, ...Object.values(named)]
}

test('no two listeners share a fixed port, with as many copies as there may be', () => {
  const copies = parseCopies(SERVICES.map((service) => `${service}=9`).join(','))
  const ports = allPorts(fixedPortPlan(copies))
  expect(new Set(ports).size).toBe(ports.length)
})

test('a fixed port stays the same when copies are added', () => {
  const grpcOf = (copies: string) =>
    fixedPortPlan(parseCopies(copies)).processes.find(({ name }) => name === 'cart')?.ports.grpc
  expect(grpcOf('inventory=4')).toBe(grpcOf(''))
})

test('free ports are all different', async () => {
  const ports = allPorts(await freePortPlan(parseCopies('inventory=3')))
  expect(ports).not.toContain(0)
  expect(new Set(ports).size).toBe(ports.length)
})

test('the port of Toxiproxy is asked for when failures are rehearsed, and not else', () => {
  const plan = fixedPortPlan(parseCopies(''))
  expect(processPorts(plan, { faults: true })).toMatchObject({ Toxiproxy: 8474 })
  expect(Object.values(processPorts(plan, { faults: false }))).not.toContain(8474)
})

test('each copy is planned with the listeners its process has', () => {
  const { processes } = fixedPortPlan(parseCopies('seller=2'))
  const sellers = processes.filter(({ kind }) => kind.service === 'seller')
  expect(sellers.map(({ name, copy }) => `${name} ${copy}`)).toEqual([
    'seller 1',
    'seller 2',
    'seller-jobs 1',
    'seller-jobs 2',
    'seller-worker 1',
    'seller-worker 2',
  ])
  expect(sellers[0]?.ports.http).toBeDefined()
  expect(sellers[4]?.ports).toMatchObject({ grpc: undefined, http: undefined })
})
