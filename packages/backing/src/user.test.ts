import { expect, test } from 'vitest'
import { maySearch, parsePasswd } from './user.ts'

const USER = { name: 'postgres', uid: 101, gid: 104 }

test('accounts are read by name and malformed lines left out', () => {
  const users = parsePasswd(
    'root:x:0:0:root:/root:/bin/sh\npostgres:x:101:104::/:\nbroken\n+::::\n',
  )
  expect([...users.keys()]).toEqual(['root', 'postgres'])
  expect(users.get('postgres')).toEqual(USER)
})

test('a folder is searched by the bits of the first class that fits', () => {
  expect(maySearch(USER, { uid: 0, gid: 0, mode: 0o755 })).toBe(true)
  expect(maySearch(USER, { uid: 0, gid: 0, mode: 0o700 })).toBe(false)
  expect(maySearch(USER, { uid: 0, gid: 104, mode: 0o710 })).toBe(true)
  expect(maySearch(USER, { uid: 101, gid: 0, mode: 0o611 })).toBe(false)
})
