import { canMove, isTerminal } from '@holdfast/kernel'
import { describe, expect, test } from 'vitest'
import { SESSION_GRAPH, type SessionState, mayActAs } from './domain.ts'
import { CLOCK_JUMP_MS, createClockGuard } from './domain-clock.ts'
import { foldEmail, isEmail } from './domain-email.ts'
import {
  PASSWORD_COST,
  formatPasswordHash,
  parsePasswordHash,
  passwordBytes,
} from './domain-password.ts'

test('I10: a session ends once and never lives again', () => {
  const states = Object.keys(SESSION_GRAPH) as SessionState[]
  const moves = states.flatMap((from) =>
    states.filter((to) => canMove(SESSION_GRAPH, from, to)).map((to) => `${from} ${to}`),
  )
  expect(moves).toEqual(['ACTIVE ENDED'])
  expect(isTerminal(SESSION_GRAPH, 'ENDED')).toBe(true)
})

test('any account buys, members sell, operators operate', () => {
  const seller = { audience: 'SELLER', sellerId: 'slr_x' as never } as const
  expect(mayActAs({ audience: 'BUYER' }, { role: undefined, isOperator: false })).toBe(true)
  expect(mayActAs(seller, { role: undefined, isOperator: true })).toBe(false)
  expect(mayActAs(seller, { role: 'VIEWER', isOperator: false })).toBe(true)
  expect(mayActAs({ audience: 'OPERATOR' }, { role: 'OWNER', isOperator: false })).toBe(false)
  expect(mayActAs({ audience: 'OPERATOR' }, { role: undefined, isOperator: true })).toBe(true)
})

describe('email addresses', () => {
  test.each([
    ['Ada@Example.com', 'ada@example.com'],
    ['STRASSE@example.com', 'straße@example.com'],
    ['ａｄａ@example.com', 'ada@example.com'],
    ['ada@bücher.example', 'ada@xn--bcher-kva.example'],
    ['Ång@example.com', 'A\u030ang@example.com'],
    ['ada@EXAMPLE.com', 'ada@example.COM'],
  ])('%s and %s are one', (left, right) => {
    expect(foldEmail(left)).toBe(foldEmail(right))
    expect(foldEmail(foldEmail(left))).toBe(foldEmail(left))
  })

  test('different people stay apart', () => {
    expect(foldEmail('a.da@example.com')).not.toBe(foldEmail('ada@example.com'))
    expect(foldEmail('ada@example.com')).not.toBe(foldEmail('ada@example.org'))
  })

  test.each(['a@b.co', 'first.last+tag@sub.example.org', 'ü@bücher.example'])(
    '%s is one',
    (text) => {
      expect(isEmail(text)).toBe(true)
    },
  )

  test.each([
    'a',
    'a@',
    '@b.co',
    'a@b',
    'a b@c.de',
    'a@@b.co',
    '.a@b.co',
    'a.@b.co',
    'a..b@c.de',
    '"a"@b.co',
    'a@b..co',
    'a@-',
    `${'x'.repeat(65)}@b.co`,
    `a@${'b.'.repeat(130)}co`,
    'a@1.2.3.4',
  ])('%s is none', (text) => {
    expect(isEmail(text)).toBe(false)
  })
})

describe('password hashes', () => {
  const hash = {
    ...PASSWORD_COST,
    salt: new Uint8Array(16).fill(1),
    hash: new Uint8Array(32).fill(2),
  }

  test('the stored text says all that is needed to make it again', () => {
    const parsed = parsePasswordHash(formatPasswordHash(hash))
    expect(parsed).toMatchObject(PASSWORD_COST)
    expect(Buffer.compare(parsed?.salt ?? hash.hash, hash.salt)).toBe(0)
  })

  test('a row that asks for gigabytes or another algorithm is no hash', () => {
    expect(parsePasswordHash(formatPasswordHash({ ...hash, memoryKib: 4_000_000 }))).toBeUndefined()
    expect(parsePasswordHash('$2b$10$abcdefghijklmnopqrstuv')).toBeUndefined()
  })

  test('two ways to type one character are one password', () => {
    expect(Buffer.compare(passwordBytes('caf\u00e9'), passwordBytes('cafe\u0301'))).toBe(0)
  })
})

describe('the guard of the database clock', () => {
  test('drift is followed, a jump is not, and its end is seen', () => {
    const guard = createClockGuard()
    const start = 1_700_000_000_000
    for (let second = 0; second < 7_200; second += 60) {
      // 1 % fast: an hour of it is 36 s, more than one step but never a jump.
      expect(guard.isSteady(new Date(start + second * 1_010), second * 1_000)).toBe(true)
    }
    const now = start + 7_200 * 1_010
    expect(guard.isSteady(new Date(now + CLOCK_JUMP_MS * 2), 7_200_000)).toBe(false)
    expect(guard.isSteady(new Date(now - CLOCK_JUMP_MS * 2), 7_200_000)).toBe(false)
    expect(guard.isSteady(new Date(now), 7_200_000)).toBe(true)
  })
})
