import { expect, test } from 'vitest'
import { isSameProcess, parseProcStat, processIdentity } from './identity.ts'

const STAT = (state: string) =>
  `17 (a) b) ${state} 1 17 17 0 -1 4194304 100 0 0 0 1 1 0 0 20 0 1 0 98765 1000000 200`

test('the start is found behind a program name with blanks and brackets', () => {
  expect(parseProcStat(STAT('S'), 'boot')).toBe('boot:98765')
})

test('the remains of a process are no process', () => {
  expect(parseProcStat(STAT('Z'), 'boot')).toBeUndefined()
})

test('this process is itself and no other', () => {
  const identity = processIdentity(process.pid)
  expect(identity).toBeDefined()
  expect(isSameProcess(process.pid, identity ?? '')).toBe(true)
  expect(isSameProcess(process.pid, 'another boot:1')).toBe(false)
})
