import { Client } from 'pg'
import { expect, test } from 'vitest'
import { urlWithPassword } from './url.ts'

test('pg reads back any password, and the rest of the URL is kept', () => {
  for (const password of ['plain', 'p@ss/w:rd?#%25 ü', '100%']) {
    const connectionString = urlWithPassword('postgres://app@127.0.0.1:5432/shop', password)
    const client = new Client({ connectionString })
    expect(client.password).toBe(password)
    expect([client.user, client.host, client.port, client.database]).toEqual([
      'app',
      '127.0.0.1',
      5432,
      'shop',
    ])
  }
})
