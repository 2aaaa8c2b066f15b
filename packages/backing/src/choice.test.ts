import { expect, test } from 'vitest'
import { choose } from './choice.ts'

const NEW = { path: '/usr/bin/server', version: [2, 10, 4] } as const
const OLD = { path: '/opt/server', version: [2, 9, 10] } as const
const SILENT = { path: '/opt/silent', version: undefined } as const

test('a given address wins over everything that was found', () => {
  const choice = choose({ address: 'db:5432', onPath: [NEW], cached: '/cache/server' }, [2, 10, 0])
  expect(choice).toEqual({ source: 'environment', address: 'db:5432' })
})

test('an empty address counts as none', () => {
  expect(choose({ address: '', onPath: [NEW] }, [2, 10, 0]).source).toBe('path')
})

test('a program on PATH wins over the cache when its version is good', () => {
  const choice = choose({ onPath: [OLD, NEW], cached: '/cache/server' }, [2, 10, 0])
  expect(choice).toEqual({ source: 'path', program: NEW })
})

test('an old program and one without a version are passed over', () => {
  const choice = choose({ onPath: [OLD, SILENT], cached: '/cache/server' }, [2, 10, 0])
  expect(choice).toEqual({ source: 'cache', path: '/cache/server' })
})

test('nothing good was found: it has to be made', () => {
  expect(choose({ onPath: [OLD] }, [2, 10, 0])).toEqual({ source: 'make' })
})
