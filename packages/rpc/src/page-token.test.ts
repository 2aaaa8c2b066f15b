import { InvalidInput } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPageTokens } from './page-token.ts'

const tokens = createPageTokens(new Uint8Array(32).fill(1))
const scope = { principal: 'seller:s', method: '/a/List', filter: '{"state":"OPEN"}' }
const NOW_MS = 1_700_000_000_000
const DAY_MS = 86_400_000

function refusalOf(token: string, other: Partial<typeof scope> = {}, nowMs = NOW_MS): unknown {
  try {
    return tokens.open(token, { ...scope, ...other }, nowMs)
  } catch (error) {
    return error
  }
}

test('a token gives back the last key, whatever is in it; no token means the first page', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (key) => {
      expect(tokens.open(tokens.seal(key, scope, NOW_MS), scope, NOW_MS)).toBe(key)
    }),
  )
  expect(tokens.open('', scope, NOW_MS)).toBeUndefined()
})

test('I17: a token is worthless to another caller, list or filter, and to another key', () => {
  const token = tokens.seal('k', scope, NOW_MS)
  const others = [{ principal: 'seller:t' }, { method: '/a/Other' }, { filter: '{}' }]
  for (const other of others) expect(refusalOf(token, other)).toBeInstanceOf(InvalidInput)
  const shifted = { principal: 'seller:s/a/List', method: '' }
  expect(refusalOf(token, shifted)).toBeInstanceOf(InvalidInput)
  const foreign = createPageTokens(new Uint8Array(32).fill(2)).seal('k', scope, NOW_MS)
  expect(refusalOf(foreign)).toBeInstanceOf(InvalidInput)
})

test('a token is good for a day', () => {
  const token = tokens.seal('k', scope, NOW_MS)
  expect(refusalOf(token, {}, NOW_MS + DAY_MS)).toBe('k')
  expect(refusalOf(token, {}, NOW_MS + DAY_MS + 1)).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' })
})

test('anything else is refused as a bad token, never as a bug', () => {
  const token = tokens.seal('k', scope, NOW_MS)
  const [payload = '', signature = ''] = token.split('.')
  const forged = Buffer.from('["z",9999999999999]').toString('base64url')
  const tampered = [
    'x',
    '.',
    '..',
    payload,
    `${payload}.`,
    `.${signature}`,
    `${forged}.${signature}`,
    `${payload}.${signature.slice(1)}`,
    `${payload}.${signature}AA`,
    '\u0000',
    '😀.😀',
  ]
  for (const text of tampered) {
    expect(refusalOf(text)).toMatchObject({ reason: 'PAGE_TOKEN_INVALID' })
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (text) => {
      expect(refusalOf(text)).toBeInstanceOf(InvalidInput)
    }),
  )
})
