import { expect, test } from 'vitest'
import { SURROUNDINGS } from '../test/surroundings.ts'
import { parseCopies } from './copies.ts'
import { serviceEnvironment } from './environment.ts'
import { linksOf, surroundingsThrough } from './fault-links.ts'
import { fixedPortPlan } from './ports.ts'

const processes = fixedPortPlan(parseCopies('')).processes

test('each process has a link of its own to each server and copy it is told of', () => {
  const seller = processes.find(({ name }) => name === 'seller-jobs')
  if (seller === undefined) throw new Error('seller-jobs is not planned')
  expect(linksOf(seller, SURROUNDINGS)).toEqual([
    { name: 'seller-jobs-1-to-postgres', upstream: '127.0.0.1:7432' },
    { name: 'seller-jobs-1-to-nats', upstream: '127.0.0.1:7222' },
    { name: 'seller-jobs-1-to-temporal', upstream: '127.0.0.1:7233' },
    { name: 'seller-jobs-1-to-session-1', upstream: 'session:1' },
    { name: 'seller-jobs-1-to-session-2', upstream: 'session:2' },
    { name: 'seller-jobs-1-to-inventory-1', upstream: 'inventory:1' },
    { name: 'seller-jobs-1-to-inventory-2', upstream: 'inventory:2' },
  ])
})

test('no process with all its links open is told a real address', () => {
  for (const planned of processes) {
    const links = linksOf(planned, SURROUNDINGS)
    const opened = new Map(links.map(({ name }, index) => [name, `127.0.0.1:${20_000 + index}`]))
    const through = surroundingsThrough(opened, `${planned.name}-1`, SURROUNDINGS)
    const told = Object.values(serviceEnvironment(planned, through)).join(' ')
    for (const { upstream } of links) expect(told.split(/[ ,/@]/)).not.toContain(upstream)
    for (const [, address] of opened) expect(told).toContain(address)
  }
})
