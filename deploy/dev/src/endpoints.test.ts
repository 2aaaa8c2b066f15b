import { readdirSync } from 'node:fs'
import { makeTemporaryFolder } from '@holdfast/backing'
import { expect, test } from 'vitest'
import { describeEndpoints, readEndpoints, removeEndpoints, writeEndpoints } from './endpoints.ts'

const FIXED = { launcher: 1, secretsFolder: '/d/secrets', logsFolder: '/d/logs' }

test('endpoints tell the present process ids and collect the copies of a service', () => {
  let pid: number | undefined = 10
  const processes = [1, 2].map((copy) => ({
    endpoint: { name: 'inventory', copy, address: `127.0.0.1:${copy}` },
    pid: () => pid,
  }))
  const jobs = { endpoint: { name: 'inventory-jobs', copy: 1 }, pid: () => 12 }
  const describe = () =>
    describeEndpoints({ fixed: FIXED, processes: [...processes, jobs], backing: [] })
  expect(describe().services).toEqual({ inventory: ['127.0.0.1:1', '127.0.0.1:2'] })
  expect(describe().processes.map((one) => one.pid)).toEqual([10, 10, 12])
  pid = undefined
  expect(describe().processes.map((one) => one.pid)).toEqual([undefined, undefined, 12])
})

test('the file is replaced as a whole and leaves nothing beside it', () => {
  const folder = makeTemporaryFolder()
  try {
    const endpoints = describeEndpoints({ fixed: FIXED, processes: [], backing: [] })
    writeEndpoints(folder.path, endpoints)
    writeEndpoints(folder.path, { ...endpoints, launcher: 2 })
    expect(readEndpoints(folder.path)?.launcher).toBe(2)
    expect(readdirSync(folder.path)).toEqual(['endpoints.json'])
    removeEndpoints(folder.path)
    removeEndpoints(folder.path)
    expect(readEndpoints(folder.path)).toBeUndefined()
  } finally {
    folder.remove()
  }
})
