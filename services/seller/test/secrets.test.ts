import { randomUUID } from 'node:crypto'
import { present } from '@holdfast/kernel'
import { createPrimaryDb } from '@holdfast/pg'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER, createLogger } from '@holdfast/telemetry'
import { expect, onTestFinished, test } from 'vitest'
import {
  type SellerUnderTest,
  application,
  apply,
  refusalOf,
  requestId,
  review,
  scope,
  startSeller,
  submission,
} from './seller-under-test.ts'

/** Every row of every table as text, as a dump would have it. */
async function dump({ database }: SellerUnderTest): Promise<string> {
  const tables = await database.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p')`,
  )
  const rows = await Promise.all(
    tables.map(({ name }) =>
      database.query<{ line: string }>(`SELECT t::text AS line FROM "${name}" t`),
    ),
  )
  return rows
    .flat()
    .map((row) => row.line)
    .join('\n')
}

/** A text as it would stand in a dump: plain, or as the bytes of a bytea. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, 'utf8')
  return [secret, bytes.toString('hex'), bytes.toString('base64')]
}

test('I23: what is submitted stands sealed in the dump, and in no answer or log', async () => {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const log = createLogger({ service: 'seller', level: 'debug', destination })
  const service = await startSeller({ log })
  onTestFinished(async () => service[Symbol.asyncDispose]())
  const canary = `canary-${randomUUID()}`
  const applied = await apply(service)
  const answers: string[] = []
  for (const requirement of applied.requirements) {
    const request = submission(requirement, canary.slice(0, 32))
    const answer = await applied.applicant.submitRequirement(request, scope())
    await applied.applicant.submitRequirement(request, scope())
    const submitted = present(answer.requirement, 'the requirement')
    const reviewed = await service.operator.reviewRequirement(review(submitted), scope())
    answers.push(toText(answer), toText(reviewed))
  }
  const bad = { ...submission(present(applied.requirements[0], 'one')), requestId: requestId() }
  const tooLong = { ...bad, answers: [{ name: 'no_such_field', value: canary.slice(0, 32) }] }
  answers.push(String(await refusalOf(applied.applicant.submitRequirement(tooLong, scope()))))
  const everything = await dump(service)
  expect(everything).toContain(applied.seller.legalName)
  for (const form of formsOf(canary.slice(0, 32))) {
    expect(everything).not.toContain(form)
    expect(answers.join('\n')).not.toContain(form)
    expect(lines.join('\n')).not.toContain(form)
  }
  expect(lines.join('\n')).not.toContain(applied.seller.legalName)
})

test('I23: a card number in free text is refused by its reason, and stands nowhere', async () => {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  const service = await startSeller({
    log: createLogger({ service: 'seller', level: 'debug', destination }),
  })
  onTestFinished(async () => service[Symbol.asyncDispose]())
  const applied = await apply(service)
  const card = '4242 4242 4242 4242'
  const request = submission(present(applied.requirements[0], 'a requirement'), `no. ${card}`)
  const refusal = await refusalOf(applied.applicant.submitRequirement(request, scope()))
  expect(refusal).toMatchObject({ reason: 'CARD_NUMBER_REFUSED' })
  const name = { ...application(), displayName: `Shop ${card}` }
  expect(await refusalOf(applied.applicant.applySeller(name, scope()))).toMatchObject({
    reason: 'CARD_NUMBER_REFUSED',
  })
  const told = [String(refusal), lines.join('\n'), await dump(service)].join('\n')
  expect(told).not.toContain(card)
})

test('I24: the reading role sees no sealed column', async () => {
  const service = await startSeller()
  onTestFinished(async () => service[Symbol.asyncDispose]())
  await using db = createPrimaryDb({
    url: service.database.url('read'),
    password: service.database.password,
    applicationName: 'test',
    connectionsMax: 1,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  const statement = (text: string) => ({ name: randomUUID(), text })
  const sealed = db.read(statement('SELECT answers_sealed FROM requirement_submission'))
  expect(String(await refusalOf(sealed))).toMatch(/permission denied/)
  const open = db.read(statement('SELECT requirement_id, version FROM requirement_submission'))
  await expect(open).resolves.toMatchObject({ rows: [] })
})

function toText(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'bigint' ? String(one) : one,
  )
}
