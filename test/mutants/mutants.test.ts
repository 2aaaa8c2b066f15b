import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../child.ts'
import { plant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

test.each(MUTANTS)('can still be planted: $name', ({ places }) => {
  for (const place of places) {
    const text = read(place.file)
    expect(plant(place, text)).not.toBe(text)
  }
})

test.each(MUTANTS)('names a proof that is there: $name', ({ proof }) => {
  expect(read(proof.file)).toContain(proof.test)
})

test('no two mutants have one name', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length)
})

test('a place that is not there, or there twice, is told', () => {
  const place = { file: 'some.ts', find: 'a', replace: '$&' }
  expect(plant(place, 'cab')).toBe('c$&b')
  expect(() => plant(place, 'b')).toThrow('some.ts has its place 0 times')
  expect(() => plant(place, 'aa')).toThrow('some.ts has its place 2 times')
})
