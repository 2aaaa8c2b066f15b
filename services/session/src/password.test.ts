import { Overloaded } from '@holdfast/kernel'
import { expect, test } from 'vitest'
import { createPasswords } from './password.ts'

test('a password proves itself and no other does', async () => {
  const passwords = createPasswords()
  const stored = await passwords.hash('correct horse battery staple')
  expect(stored).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  expect(await passwords.verify('correct horse battery staple', stored)).toBe(true)
  expect(await passwords.verify('correct horse battery stapl', stored)).toBe(false)
})

test('an unknown account takes the same work and is never right', async () => {
  const passwords = createPasswords()
  expect(await passwords.verify('anything at all', undefined)).toBe(false)
  expect(await passwords.verify('anything at all', 'no hash')).toBe(false)
})

test('I22: two at once, 32 wait, and the next is refused at once', async () => {
  const passwords = createPasswords()
  const all = Array.from({ length: 40 }, (_, index) => passwords.verify(`${index}`, undefined))
  expect(passwords.hasRoom()).toBe(false)
  const results = await Promise.allSettled(all)
  const refused = results.filter((one) => one.status === 'rejected')
  expect(refused).toHaveLength(40 - 2 - 32)
  expect(refused.every((one) => one.reason instanceof Overloaded)).toBe(true)
  expect(passwords.hasRoom()).toBe(true)
  expect(await passwords.verify('x', undefined)).toBe(false)
})
