import { InvalidInput } from '@holdfast/kernel'
import { expect, test } from 'vitest'
import { checkAnswers } from './domain-answers.ts'

const FIELDS = [
  { name: 'tax_id', description: 'Tax number', mandatory: true, lengthMax: 5 },
  { name: 'note', description: 'Anything', mandatory: false, lengthMax: 10 },
]

function refusal(answers: readonly { readonly name: string; readonly value: string }[]): unknown {
  try {
    return checkAnswers(FIELDS, answers)
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error
    return error.violations.map((one) => `${one.field} ${one.description}`)
  }
}

test('answers come in the order of the fields, without empty ones', () => {
  const answers = [
    { name: 'note', value: '' },
    { name: 'tax_id', value: 'DE1' },
  ]
  expect(refusal(answers)).toEqual([{ name: 'tax_id', value: 'DE1' }])
})

test('each answer that does not fit is named, and no value is told', () => {
  expect(refusal([])).toEqual(['answers must answer tax_id'])
  expect(refusal([{ name: 'tax_id', value: '' }])).toEqual(['answers must answer tax_id'])
  expect(
    refusal([
      { name: 'tax_id', value: 'secret-value' },
      { name: 'note', value: 'a' },
      { name: 'note', value: 'b' },
      { name: 'other', value: 'c' },
    ]),
  ).toEqual([
    'answers[0].value must be at most 5 characters',
    'answers[2].name is answered twice',
    'answers[3].name names no field of this requirement',
  ])
})
