import { type FieldViolation, InvalidInput } from '@holdfast/kernel'
import type { RequirementAnswer, RequirementField } from './domain.ts'

/**
 * The answers in the order of the fields, without empty ones. Fails with InvalidInput that names
 * each answer that is unknown, twice, too long, or missing although mandatory; never a value.
 */
export function checkAnswers(
  fields: readonly RequirementField[],
  answers: readonly RequirementAnswer[],
): readonly RequirementAnswer[] {
  const violations = [...answers.flatMap(refuseEach(fields)), ...missing(fields, answers)]
  if (violations.length > 0) {
    throw new InvalidInput('The answers do not fit the fields of this requirement.', violations)
  }
  return fields.flatMap((field) => {
    const answer = answers.find((one) => one.name === field.name)
    return answer === undefined || answer.value === '' ? [] : [answer]
  })
}

function refuseEach(fields: readonly RequirementField[]) {
  const seen = new Set<string>()
  return (answer: RequirementAnswer, index: number): FieldViolation[] => {
    const field = fields.find((one) => one.name === answer.name)
    const path = `answers[${index}]`
    if (field === undefined) {
      return [{ field: `${path}.name`, description: 'names no field of this requirement' }]
    }
    if (seen.has(answer.name)) return [{ field: `${path}.name`, description: 'is answered twice' }]
    seen.add(answer.name)
    if (answer.value.length <= field.lengthMax) return []
    const description = `must be at most ${field.lengthMax} characters`
    return [{ field: `${path}.value`, description }]
  }
}

function missing(
  fields: readonly RequirementField[],
  answers: readonly RequirementAnswer[],
): FieldViolation[] {
  return fields
    .filter((field) => field.mandatory)
    .filter((field) => !answers.some((one) => one.name === field.name && one.value !== ''))
    .map((field) => ({ field: 'answers', description: `must answer ${field.name}` }))
}
