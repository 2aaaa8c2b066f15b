import { expect, test } from 'vitest'
import { eventually, NotYet } from './eventually.ts'

test('it answers what the check answers, once that neither throws nor is false', async () => {
  let calls = 0
  const answer = await eventually(
    () => {
      calls += 1
      if (calls === 1) throw new Error('not yet')
      return calls > 2 && calls
    },
    { withinMs: 5_000 },
  )
  expect(answer).toBe(3)
})

test('when time is up it tells the last status and keeps the error as the cause', async () => {
  const last = new Error('3 of 4 rows are there')
  const failure = await eventually(() => Promise.reject(last), { withinMs: 50 }).catch(
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(NotYet)
  expect(String(failure)).toMatch(/Not within 50 ms \(\d+ tries\)\. Last: 3 of 4 rows are there/)
  expect((failure as NotYet).cause).toBe(last)
})

test('a check that stays false says so', async () => {
  await expect(eventually(() => false, { withinMs: 0 })).rejects.toThrow('Last: answered false')
})
