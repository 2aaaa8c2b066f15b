import { expect, test } from 'vitest'
import { BadOptions } from '../command.ts'
import { ALL_FAULTS, faultName } from './faults.ts'
import { parseOptions } from './options.ts'
import { seededRandom } from './random.ts'

test('one seed gives one order and the same times, another seed others', () => {
  const schedule = (seed: number) => {
    const random = seededRandom(seed)
    return [random.shuffled(ALL_FAULTS).map(faultName), random.below(1_000), random.below(1_000)]
  }
  expect(schedule(7)).toEqual(schedule(7))
  expect(schedule(7)).not.toEqual(schedule(8))
})

test('a shuffle keeps every fault, and each has a name of its own', () => {
  const names = seededRandom(1).shuffled(ALL_FAULTS).map(faultName)
  expect(names.toSorted()).toEqual(ALL_FAULTS.map(faultName).toSorted())
  expect(new Set(names).size).toBe(ALL_FAULTS.length)
})

test('numbers below an end are all there and none is the end', () => {
  const random = seededRandom(3)
  const drawn = new Set(Array.from({ length: 500 }, () => random.below(5)))
  expect(drawn).toEqual(new Set([0, 1, 2, 3, 4]))
})

test('options are read, and a fresh seed is taken when none is given', () => {
  expect(parseOptions([], 42)).toEqual({ kind: 'run', seed: 42, only: '', rounds: undefined })
  const args = ['--seed', '7', '--rounds', '3', '--only', 'kill']
  expect(parseOptions(args, 42)).toEqual({ kind: 'run', seed: 7, only: 'kill', rounds: 3 })
  expect(parseOptions(['--list'], 42)).toEqual({ kind: 'list' })
  expect(parseOptions(['--help'], 42)).toEqual({ kind: 'help' })
})

test.each([
  [['--rounds', '0'], '--rounds must be a whole number from 1 to 10000, not "0".'],
  [['--seed', 'x'], '--seed must be a whole number'],
  [['--bogus'], "Unknown option '--bogus'"],
  [['kill'], 'Unexpected argument'],
])('%s is refused in one line', (args, line) => {
  expect(() => parseOptions(args, 42)).toThrow(BadOptions)
  expect(() => parseOptions(args, 42)).toThrow(line)
})
