import { expect, test } from 'vitest'
import { familyOf, idleShare, parseProcessStat } from './cpu.ts'

test('CPU time is own and of children that ended, and a name may hold brackets', () => {
  const stat = '123 (odd) name) S 45 1 1 0 -1 4194304 9 9 0 0 100 20 3 4 20 0 1 0 77'
  expect(parseProcessStat(stat)).toEqual({ pid: 123, parent: 45, cpuMs: 1_270 })
})

test('a family is everything below its roots, each once', () => {
  const of = (pid: number, parent: number) => ({ pid, parent, cpuMs: 1 })
  const processes = [of(5, 4), of(4, 1), of(6, 5), of(7, 1), of(8, 7), of(9, 99)]
  expect(familyOf(processes, [4, 5, 404]).map(({ pid }) => pid)).toEqual([5, 4, 6])
})

test('the idle share is what was idle of the time between', () => {
  const before = { idleMs: 1_000, totalMs: 2_000 }
  expect(idleShare(before, { idleMs: 1_900, totalMs: 3_000 })).toBe(0.9)
  expect(idleShare(before, before)).toBe(0)
})
