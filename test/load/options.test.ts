import { expect, test } from 'vitest'
import { parseOptions } from './options.ts'

const names = ['checkout', 'other']

test('without a name the benchmarks are listed', () => {
  expect(parseOptions([], names)).toEqual({ kind: 'list' })
  expect(parseOptions(['--help'], names)).toEqual({ kind: 'help' })
})

test('a benchmark runs by its name, with a file and by force if wanted', () => {
  expect(parseOptions(['checkout'], names)).toEqual({
    kind: 'run',
    name: 'checkout',
    jsonFile: undefined,
    force: false,
  })
  expect(parseOptions(['other', '--json', 'out.json', '--force'], names)).toMatchObject({
    name: 'other',
    jsonFile: 'out.json',
    force: true,
  })
})

test.each([
  [['nothing'], 'There is no benchmark "nothing"; there are checkout, other.'],
  [['checkout', 'other'], 'Name one benchmark at a time.'],
  [['checkout', '--jsn', 'a'], '--jsn'],
  [['checkout', '--json'], '--json'],
])('a mistake in %j is told in one line', (args, message) => {
  expect(() => parseOptions(args, names)).toThrow(message)
  expect(() => parseOptions(args, names)).toThrow(/^[^\n]+$/)
})
