import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type SessionBench,
  createSessionBench,
  logIn,
  reasonOf,
  refresh,
  register,
  scope,
  startGuest,
} from './session-kit.ts'

let bench: SessionBench

beforeAll(async () => {
  bench = await createSessionBench()
})
afterAll(() => bench[Symbol.asyncDispose]())

test('a guest begins, refreshes and reads itself', async () => {
  const begun = await startGuest(bench.anonymous)
  const next = await refresh(bench.anonymous, begun.tokens?.refreshToken)
  const me = bench.as(next.tokens?.accessToken ?? '')
  const read = await me.getSession({ sessionId: '' }, scope())
  expect(read.session?.sessionId).toBe(begun.session?.sessionId)
  expect(read.session?.guestId).toMatch(/^gst_/)
})

test('register, log in, read', async () => {
  const { email, accountId } = await register(bench.anonymous)
  const done = await logIn(bench.anonymous, email)
  expect(done.account?.accountId).toBe(accountId)
  const me = bench.as(done.tokens?.accessToken ?? '')
  expect((await me.getSession({ sessionId: '' }, scope())).account?.email).toBe(email)
  expect(await reasonOf(logIn(bench.anonymous, email, { password: 'wrong password' }))).toBe('CREDENTIALS_REFUSED')
  void randomUUID
})
