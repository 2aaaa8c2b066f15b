import { expect, test } from 'vitest'
import { EXCEPTED, WORDS } from './field-options.ts'
import { exceptionsUsed } from './field-rows.ts'
import { RPCS } from './services.ts'
import { shapesOf } from './shapes.ts'

test('every exception applies to a field of the contract', () => {
  const used = new Set(RPCS.flatMap(({ name, path }) => exceptionsUsed(name, shapesOf(path))))
  expect(EXCEPTED.filter((one) => !used.has(one))).toEqual([])
})

test('every field that takes words is one of the contract', () => {
  const names = new Set(RPCS.flatMap(({ path }) => shapesOf(path).map(({ ownName }) => ownName)))
  expect(Array.from(WORDS).filter((one) => !names.has(one))).toEqual([])
})
