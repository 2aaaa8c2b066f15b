import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ALL_FAULTS, faultName } from '../chaos/faults.ts'
import { root } from '../child.ts'
import { plant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { sayingOf } from './prove.ts'

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

/** Of docs/proof.md, what stands under each promise. */
const sections = new Map(
  read('docs/proof.md')
    .split(/^### (?=I\d+:)/m)
    .map((text) => [text.slice(0, text.indexOf(':')), text]),
)

test.each(MUTANTS)('stands in docs/proof.md under its promise: $name', (mutant) => {
  const { name, invariant, proof } = mutant
  const lines = (sections.get(invariant) ?? '').split('\n')
  const at = lines.indexOf(`- ${name}:`)
  expect(at).toBeGreaterThan(0)
  expect(lines[at + 1]).toContain(`(../${proof.file})`)
  expect(lines[at + 1]).toContain(`\`${proof.test}\``)
})

test('docs/proof.md names every promise, and no fault that is not planted', () => {
  const promises = [...read('docs/invariants.md').matchAll(/^\| (I\d+) +\| \w/gm)]
  expect([...sections.keys()].slice(1)).toEqual(promises.map(([, id]) => id))
  const listed = [...read('docs/proof.md').matchAll(/^- (.*):$/gm)].map(([, name]) => name)
  expect(listed).toHaveLength(MUTANTS.length)
  expect(new Set(listed)).toEqual(new Set(MUTANTS.map(({ name }) => name)))
})

test('what docs/proof.md says to run is there', () => {
  const [, page = ''] = read('docs/proof.md').split('## Promise by promise')
  const commands = (pattern: RegExp) => [...page.matchAll(pattern)].map(([, word = '']) => word)
  const files = commands(/`npm test -- \w+ (.*?)`/g)
  expect(files.filter((path) => !existsSync(join(root, `${path}.test.ts`)))).toEqual([])
  const names = ALL_FAULTS.map(faultName)
  const parts = commands(/`npm run chaos -- --only (.*?)`/g)
  expect(parts.filter((word) => !names.some((name) => name.includes(word)))).toEqual([])
  expect(Math.min(files.length, parts.length)).toBeGreaterThan(5)
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

test('a proof failed when one of its own tests did, and ran nothing when none of them ran', () => {
  const proof = { suite: 'unit', file: 'src/one.test.ts', test: 'I6: of this' } as const
  const say = (
    status: string,
    fullName = 'group I6: of this kind',
    name = '/copy/src/one.test.ts',
  ) => sayingOf({ testResults: [{ name, assertionResults: [{ fullName, status }] }] }, proof).said
  expect(say('failed')).toBe('failed')
  expect(say('passed')).toBe('passed')
  expect(say('skipped')).toBe('ran nothing')
  expect(say('failed', 'another test')).toBe('ran nothing')
  expect(say('failed', undefined, '/copy/src/other.test.ts')).toBe('ran nothing')
  expect(sayingOf({ testResults: [{ name: 'x', assertionResults: [] }] }, proof)).toEqual({
    said: 'ran nothing',
    why: '',
  })
})
