import { expect, test } from 'vitest'
import { flags } from './flags.ts'
import { elapsed } from './progress.ts'

test('a duration is shown as a person reads it', () => {
  expect(elapsed(412)).toBe('0.4 s')
  expect(elapsed(17_400)).toBe('17 s')
  expect(elapsed(185_000)).toBe('3 min 05 s')
})

test('arguments keep their order, and a list repeats its name', () => {
  expect(flags({ '--port': '80', '-c': ['a=1', 'b=2'] })).toEqual([
    '--port',
    '80',
    '-c',
    'a=1',
    '-c',
    'b=2',
  ])
})
