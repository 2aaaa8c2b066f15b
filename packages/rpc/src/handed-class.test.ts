import { expect, test } from 'vitest'
import { ANONYMOUS } from './caller.ts'
import { classOfCall, handedClass } from './handed-class.ts'

const SERVICE = { kind: 'service', service: 'checkout' } as const

test('only a service hands a class on, and only one of the five', () => {
  expect(classOfCall(SERVICE, 'pay', 'browse')).toBe('pay')
  expect(classOfCall(SERVICE, 'report', 'browse')).toBe('report')
  expect(classOfCall(ANONYMOUS, 'pay', 'browse')).toBe('browse')
  for (const strange of ['', 'PAY', 'first', 0, undefined, new Uint8Array(3)]) {
    expect(handedClass(strange)).toBeUndefined()
    expect(classOfCall(SERVICE, strange, 'browse')).toBe('browse')
  }
})
