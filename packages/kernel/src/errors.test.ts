import { expect, test } from 'vitest'
import { BrokenAssumption, assert, present, unreachable } from './assert.ts'
import { armCrashPoints, crashPoint } from './crash-point.ts'
import { ERROR_REASONS } from './error-reason.ts'
import { Conflict, InvalidInput, OutcomeUnknown, Unavailable, isHoldfastError } from './errors.ts'
import { known, refused, unknown } from './outcome.ts'

test('an error says its kind, reason, details, wait and cause, and its name is its class', () => {
  const cause = new Error('why')
  const error = new Conflict('KEY_IN_PROGRESS', 'm', { a: 'b' }, { cause, retryAfterMs: 5 })
  expect(error).toMatchObject({
    name: 'Conflict',
    kind: 'conflict',
    reason: 'KEY_IN_PROGRESS',
    message: 'm',
    details: { a: 'b' },
    retryAfterMs: 5,
    cause,
  })
  expect(new Unavailable('SHUTTING_DOWN', 'm')).toMatchObject({ details: {} })
  expect(new Unavailable('SHUTTING_DOWN', 'm')).not.toHaveProperty('cause')
  expect(new OutcomeUnknown('m').reason).toBe('OUTCOME_UNKNOWN')
  expect(new InvalidInput('m', []).reason).toBe('INVALID_FIELD')
})

test('only the closed set is known: a look-alike is a bug', () => {
  expect(isHoldfastError(new Conflict('KEY_IN_PROGRESS', 'm'))).toBe(true)
  for (const value of [new Error('x'), { kind: 'conflict' }, undefined, null, 'text']) {
    expect(isHoldfastError(value)).toBe(false)
  }
})

test('every reason has a name of its own', () => {
  expect(new Set(ERROR_REASONS).size).toBe(ERROR_REASONS.length)
})

test('a broken assumption stops, and zero or an empty text is present', () => {
  expect(() => assert(false, 'x must hold')).toThrow('x must hold')
  expect(() => unreachable('odd' as never)).toThrow(BrokenAssumption)
  expect(() => present(undefined, 'the row')).toThrow('Missing: the row')
  expect([present(0, 'n'), present('', 's'), present(false, 'b')]).toEqual([0, '', false])
})

test('the three answers from outside stay apart', () => {
  expect(known(1)).toEqual({ kind: 'known', value: 1 })
  expect(refused('never', 'm')).toEqual({ kind: 'refused', reason: 'never', message: 'm' })
  expect(unknown('m')).toEqual({ kind: 'unknown', message: 'm' })
  expect(unknown('m', 'c')).toEqual({ kind: 'unknown', message: 'm', cause: 'c' })
})

test('a crash point does nothing until it is armed', () => {
  const reached: string[] = []
  crashPoint('before')
  armCrashPoints((name) => reached.push(name))
  crashPoint('after')
  expect(reached).toEqual(['after'])
})
