import { expect, test } from 'vitest'
import {
  METHOD_OK,
  methodToken,
  NAMED_SCRIPTS,
  NO_SCRIPT,
  parseMethod,
  ScriptBook,
  type ScriptName,
} from './domain-script.ts'

const NAMES = Object.keys(NAMED_SCRIPTS) as ScriptName[]

test('there are ten named scripts, each with a token for each step that has an effect', () => {
  expect(NAMES).toHaveLength(10)
  for (const name of NAMES) {
    for (const operation of ['confirm', 'capture', 'cancel', 'refund'] as const) {
      expect(parseMethod(methodToken(name, operation))).toEqual({
        kind: 'script',
        script: NAMED_SCRIPTS[name],
        operation,
      })
    }
  }
})

test('a token that was never issued means nothing', () => {
  for (const token of ['', 'pm_sim_', 'pm_sim_x', 'pm_other', 'pm_sim_declined_at_open']) {
    expect(parseMethod(token)).toBeUndefined()
  }
  expect(parseMethod(METHOD_OK)).toEqual({ kind: 'plain' })
})

test('ordered scripts run in order and as often as ordered, for their own call only', () => {
  const book = new ScriptBook()
  book.add({ ref: 'a', operation: 'confirm', script: NAMED_SCRIPTS.declined, times: 2 })
  book.add({ ref: '*', operation: 'confirm', script: NAMED_SCRIPTS.html_502, times: 1 })
  expect(book.take('a', 'capture')).toBeUndefined()
  expect(book.take('a', 'confirm')).toBe(NAMED_SCRIPTS.declined)
  expect(book.take('b', 'confirm')).toBe(NAMED_SCRIPTS.html_502)
  expect(book.take('b', 'confirm')).toBeUndefined()
  expect(book.take('a', 'confirm')).toBe(NAMED_SCRIPTS.declined)
  expect(book.take('a', 'confirm')).toBeUndefined()
  expect(NO_SCRIPT).toEqual({
    effect: 'yes',
    answer: 'ok',
    webhook: 'after_answer',
    amount: 'right',
  })
})
