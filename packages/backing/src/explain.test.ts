import { expect, test } from 'vitest'
import { explainLog } from './explain.ts'

test('the complaints of a process that cannot start are shown, its JSON lines are not', () => {
  const log = [
    '{"level":"info","msg":"earlier"}',
    'This process cannot start:',
    'HOLDFAST_CART_X is not a setting of this service; remove it or correct its name.',
    'HOLDFAST_CART_LISTEN_ADDRESS: is required, as host:port.',
    '{"level":"error","msg":"The start failed"}',
  ].join('\n')
  expect(explainLog(log)).toBe(
    'HOLDFAST_CART_X is not a setting of this service; remove it or correct its name. ' +
      'HOLDFAST_CART_LISTEN_ADDRESS: is required, as host:port.',
  )
})

test('the last line about an error is preferred to the last line', () => {
  const log = 'FATAL:  could not map shared memory\nLOG:  database system is shut down\n'
  expect(explainLog(log)).toBe('FATAL:  could not map shared memory.')
  expect(explainLog('listening\nstopping\n')).toBe('stopping.')
  expect(explainLog('')).toBe('')
})
