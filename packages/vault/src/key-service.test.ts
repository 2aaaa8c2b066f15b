import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { createFileKeyService, SealBroken, UnknownKeyVersion } from './key-service.ts'

const key = (): string => randomBytes(32).toString('base64')
const first = { version: 1, key: key() }
const second = { version: 2, key: key() }
const before = createFileKeyService({ current: 1, keys: [first] })
const rotated = createFileKeyService({ current: 2, keys: [first, second] })
const dataKey = randomBytes(32)

test('I23: after a rotation old and new versions are both readable', async () => {
  const old = await before.wrap(dataKey, 'slr_1')
  expect(old.keyVersion).toBe(1)
  expect(Buffer.compare(await rotated.unwrap(old, 'slr_1'), dataKey)).toBe(0)
  const fresh = await rotated.wrap(dataKey, 'slr_1')
  expect(fresh.keyVersion).toBe(2)
  expect(Buffer.compare(await rotated.unwrap(fresh, 'slr_1'), dataKey)).toBe(0)
})

test('I23: an unknown key version is an error, never plain text', async () => {
  const fresh = await rotated.wrap(dataKey, 'slr_1')
  await expect(before.unwrap(fresh, 'slr_1')).rejects.toThrow(UnknownKeyVersion)
})

test('a wrapped key opens for its own subject only, and only unchanged', async () => {
  const wrapped = await before.wrap(dataKey, 'slr_1')
  await expect(before.unwrap(wrapped, 'slr_2')).rejects.toThrow(SealBroken)
  const changed = Buffer.from(wrapped.bytes)
  changed[20] = (changed[20] ?? 0) ^ 1
  await expect(before.unwrap({ ...wrapped, bytes: changed }, 'slr_1')).rejects.toThrow(SealBroken)
  const short = { ...wrapped, bytes: changed.subarray(0, 10) }
  await expect(before.unwrap(short, 'slr_1')).rejects.toThrow(SealBroken)
})

test('two wraps of one key differ', async () => {
  const one = await before.wrap(dataKey, 'slr_1')
  const other = await before.wrap(dataKey, 'slr_1')
  expect(Buffer.compare(one.bytes, other.bytes)).not.toBe(0)
})

test('digests: the current version first; what was stored before a rotation is found', async () => {
  const input = Buffer.from('DE00 1234')
  const [stored] = await before.digests(input)
  const search = await rotated.digests(input)
  expect(search).toHaveLength(2)
  expect(search.some((one) => Buffer.compare(one, stored ?? Buffer.alloc(0)) === 0)).toBe(true)
  const [other] = await before.digests(Buffer.from('DE00 1235'))
  expect(Buffer.compare(other ?? Buffer.alloc(0), stored ?? Buffer.alloc(0))).not.toBe(0)
})

test.each([
  ['nothing', undefined, 'must hold'],
  ['no keys', { current: 1 }, 'must hold'],
  ['an empty list', { current: 1, keys: [] }, 'version of one of its keys'],
  ['a missing current', { keys: [first] }, 'version of one of its keys'],
  ['a current without key', { current: 3, keys: [first] }, 'version of one of its keys'],
  ['a version twice', { current: 1, keys: [first, first] }, 'twice'],
  ['a short key', { current: 1, keys: [{ version: 1, key: 'AAAA' }] }, 'base64 of 32 bytes'],
  ['a version of 0', { current: 0, keys: [{ version: 0, key: key() }] }, '1 or more'],
])('a key file with %s is refused with a reason', (_name, content, reason) => {
  expect(() => createFileKeyService(content)).toThrow(reason)
})
