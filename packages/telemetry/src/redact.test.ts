import { expect, test } from 'vitest'
import { createLogger } from './log.ts'
import { describeError, redactFields } from './redact.ts'

/** What one line of the log says. */
function lineOf(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown> {
  let text = ''
  const destination = { write: (line: string) => void (text += line) }
  write(createLogger({ service: 'test', destination }))
  return JSON.parse(text) as Record<string, unknown>
}

test.each([
  'password',
  'token',
  'authorization',
  'cardNumberText',
  'email',
  'secret',
  'key',
  'body',
  'url',
])('I23: a field called %s is withheld, and that it was is said', (name) => {
  expect(redactFields({ [name]: 'canary' })).toEqual({ withheld: true })
})

test('ids, units and counts are written, bigints as text, long texts cut', () => {
  const written = redactFields({
    orderId: 'ord_1',
    waitMs: 5,
    amountMinor: 2n ** 60n,
    itemIds: ['sti_1'],
    reason: 'x'.repeat(600),
    attempt: undefined,
  })
  expect(written).toMatchObject({ orderId: 'ord_1', waitMs: 5, amountMinor: '1152921504606846976' })
  expect(written['itemIds']).toEqual(['sti_1'])
  expect(String(written['reason'])).toHaveLength(501)
  expect(written).not.toHaveProperty('attempt')
})

test('an error is told with its code and causes, however deep or circular', () => {
  const root = Object.assign(new Error('root'), { code: 'ECONNREFUSED', password: 'canary' })
  const error = new Error('top', { cause: root })
  root.cause = error
  const described = describeError(error)
  expect(described).toMatchObject({
    name: 'Error',
    message: 'top',
    cause: { message: 'root', code: 'ECONNREFUSED' },
  })
  expect(JSON.stringify(described)).not.toContain('canary')
})

test('a line has its service, level and time, and the fields of its logger', () => {
  const line = lineOf((log) =>
    log.child({ method: '/a/B' }).warn('It happened', { failure: new Error('x'), token: 'canary' }),
  )
  expect(line).toMatchObject({
    service: 'test',
    level: 'warn',
    msg: 'It happened',
    method: '/a/B',
    withheld: true,
    error: { message: 'x' },
  })
  expect(Date.parse(String(line['time']))).not.toBeNaN()
})
