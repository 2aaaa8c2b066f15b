import { expect, test } from 'vitest'
import { residentMb } from './memory.ts'

test('resident memory is the line of its name, in MB', () => {
  const status = 'Name:\tnode\nVmHWM:\t  204800 kB\nVmRSS:\t  153600 kB\nThreads:\t11\n'
  expect(residentMb(status)).toBe(150)
  expect(residentMb('Name:\tkthreadd\n')).toBeUndefined()
})
