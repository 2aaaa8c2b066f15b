import { IllegalState, NotFound, present } from '@holdfast/kernel'
import {
  ReviewRequirementRequest_Decision as Decision,
  Requirement_State,
  Seller_State,
} from '@holdfast/proto/seller'
import { createPrimaryDb, sql } from '@holdfast/pg'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Applied,
  type SellerUnderTest,
  accountCaller,
  admitSeller,
  answerOf,
  application,
  apply,
  memberOf,
  reasonOf,
  refusalOf,
  requestId,
  review,
  scope,
  startSeller,
  submission,
  submitAll,
} from './seller-under-test.ts'

let service: SellerUnderTest

beforeAll(async () => {
  service = await startSeller()
})

afterAll(async () => service[Symbol.asyncDispose]())

async function read({ sellerId }: Pick<Applied, 'sellerId'>) {
  const answer = await service.operator.getSeller({ sellerId }, scope())
  return { seller: present(answer.seller, 'the seller'), requirements: answer.requirements }
}

function verb<V extends bigint | undefined>(
  sellerId: string,
  expectedVersion: V,
  reason = 'as decided',
) {
  return { requestId: requestId(), sellerId, expectedVersion, reason }
}

test('a seller applies, hands in, is reviewed and let in, and its history says so', async () => {
  const applied = await apply(service)
  expect(applied.requirements.map((one) => one.key)).toEqual([
    'legal_entity',
    'payout_account',
    'tax_identity',
    'terms_accepted',
  ])
  expect(applied.seller).toMatchObject({
    state: Seller_State.APPLIED,
    version: 1n,
    selling: {
      enabled: false,
      blockedBy: ['state', 'legal_entity', 'tax_identity', 'terms_accepted'],
    },
  })
  const submitted = await submitAll(applied)
  // Only the last submission changes the seller itself.
  expect((await read(applied)).seller).toMatchObject({ state: Seller_State.IN_REVIEW, version: 2n })
  for (const one of submitted) await service.operator.reviewRequirement(review(one), scope())
  const { version } = (await read(applied)).seller
  const approval = {
    requestId: requestId(),
    sellerId: applied.sellerId,
    expectedVersion: version,
    commissionBasisPoints: 750,
  }
  const { seller } = await service.operator.approveSeller(approval, scope())
  expect(seller).toMatchObject({
    state: Seller_State.ACTIVE,
    commissionBasisPoints: 750,
    selling: { enabled: true, blockedBy: [] },
    payouts: { enabled: true, blockedBy: [] },
  })
  expect(seller?.history.map((one) => one.state)).toEqual([
    Seller_State.APPLIED,
    Seller_State.IN_REVIEW,
    Seller_State.ACTIVE,
  ])
})

test('I6: 50 repeats of one application at once make one seller and answer alike', async () => {
  const applicant = service.clientOf(accountCaller())
  const request = application()
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => answerOf(() => applicant.applySeller(request, scope()))),
  )
  expect(new Set(answers.map((one) => one.seller?.sellerId)).size).toBe(1)
  const rows = await service.database.query('SELECT seller_id FROM seller WHERE legal_name = $1', [
    request.legalName,
  ])
  expect(rows).toHaveLength(1)
})

test('50 applications of one name at once under keys of their own make one seller', async () => {
  const applicant = service.clientOf(accountCaller())
  const first = application()
  const spellings = [first.legalName, first.legalName.toUpperCase(), `${first.legalName}  `]
  const answers = await Promise.allSettled(
    Array.from({ length: 50 }, (_, index) => {
      const legalName = present(spellings[index % 3], 'a spelling')
      const own = { ...first, requestId: requestId(), legalName }
      return answerOf(() => applicant.applySeller(own, scope()))
    }),
  )
  const made = answers.filter((one) => one.status === 'fulfilled')
  expect(made).toHaveLength(1)
  const refusals = answers
    .filter((one) => one.status === 'rejected')
    .map((one): unknown => one.reason)
  const sellerId = made[0]?.value.seller?.sellerId
  expect(new Set(refusals.map(reasonOf))).toEqual(new Set(['SELLER_EXISTS']))
  expect(refusals[0]).toMatchObject({ details: { seller_id: sellerId } })
})

test('I6: an application id with other content is refused and makes nothing', async () => {
  const applicant = service.clientOf(accountCaller())
  const request = application()
  await applicant.applySeller(request, scope())
  const other = { ...request, legalName: `${request.legalName} Two` }
  expect(reasonOf(await refusalOf(applicant.applySeller(other, scope())))).toBe('KEY_REUSED')
  const rows = await service.database.query('SELECT 1 FROM seller WHERE legal_name = $1', [
    other.legalName,
  ])
  expect(rows).toEqual([])
})

test('the applicant becomes the owner at least once, also when session was away', async () => {
  service.session.grantFailures = 2
  await using _jobs = await service.startJobs()
  const applied = await apply(service)
  const owner = await eventually(() => service.session.owners.get(applied.sellerId) ?? false, {
    withinMs: 30_000,
  })
  expect(owner.accountId).toBe(applied.accountId)
  await eventually(
    async () => {
      const rows = await service.database.query(
        'SELECT seller_id FROM membership_grant WHERE granted_at IS NULL',
      )
      return rows.length === 0
    },
    { withinMs: 30_000 },
  )
})

test('I6: 30 repeats of one submission take one effect', async () => {
  const applied = await apply(service)
  const [requirement] = applied.requirements
  const request = submission(present(requirement, 'a requirement'))
  const answers = await Promise.all(
    Array.from({ length: 30 }, () =>
      answerOf(() => applied.applicant.submitRequirement(request, scope())),
    ),
  )
  expect(new Set(answers.map((one) => one.requirement?.version))).toEqual(new Set([2n]))
  const rows = await service.database.query(
    `SELECT s.version FROM requirement_submission s JOIN requirement r USING (requirement_id)
     JOIN seller q USING (seller_id) WHERE q.legal_name = $1`,
    [applied.seller.legalName],
  )
  expect(rows).toHaveLength(1)
})

test('a rejected requirement sends the seller back, and its new submission forward', async () => {
  const applied = await apply(service)
  const [first] = await submitAll(applied)
  const rejection = review(present(first, 'a requirement'), Decision.REJECT)
  const rejected = await service.operator.reviewRequirement(rejection, scope())
  expect(rejected.requirement).toMatchObject({
    state: Requirement_State.REJECTED,
    reviewReason: 'as decided',
  })
  expect(rejected.seller?.state).toBe(Seller_State.INFO_NEEDED)
  const again = submission(present(rejected.requirement, 'the requirement'))
  const resubmitted = await applied.applicant.submitRequirement(again, scope())
  expect(resubmitted.requirement).toMatchObject({
    state: Requirement_State.SUBMITTED,
    reviewReason: '',
  })
  expect(resubmitted.seller?.state).toBe(Seller_State.IN_REVIEW)
})

test('a waiver counts as met until it is over, and cannot begin in the past', async () => {
  const applied = await apply(service)
  const waive = { decision: Decision.WAIVE, reason: 'known to us' }
  const later = new Date(systemClock.now().getTime() + 86_400_000)
  for (const one of applied.requirements) {
    const past = { ...review(one), ...waive, waiveUntilTime: new Date(0) }
    const refusal = await refusalOf(service.operator.reviewRequirement(past, scope()))
    expect(reasonOf(refusal)).toBe('INVALID_FIELD')
    const request = { ...review(one), ...waive, waiveUntilTime: later }
    await service.operator.reviewRequirement(request, scope())
  }
  const { seller } = await read(applied)
  expect(seller.state).toBe(Seller_State.IN_REVIEW)
  const { sellerId } = applied
  const approval = { ...verb(sellerId, seller.version), commissionBasisPoints: undefined }
  const { seller: active } = await service.operator.approveSeller(approval, scope())
  expect(active?.selling?.enabled).toBe(true)
})

test('nobody is let in while a requirement is open, and the refusal names them', async () => {
  const applied = await apply(service)
  await submitAll(applied)
  const { seller } = await read(applied)
  const { sellerId } = applied
  const approval = { ...verb(sellerId, seller.version), commissionBasisPoints: undefined }
  expect(await refusalOf(service.operator.approveSeller(approval, scope()))).toMatchObject({
    reason: 'REQUIREMENTS_OPEN',
    details: { keys: 'legal_entity,payout_account,tax_identity,terms_accepted' },
  })
})

test('I10: verbs that the graph does not allow are refused and change nothing', async () => {
  const { sellerId } = await apply(service)
  const attempts = [
    service.operator.approveSeller(
      { ...verb(sellerId, 1n), commissionBasisPoints: undefined },
      scope(),
    ),
    service.operator.rejectSeller(verb(sellerId, 1n), scope()),
    service.operator.suspendSeller(verb(sellerId, undefined), scope()),
    service.operator.reinstateSeller(verb(sellerId, undefined), scope()),
  ]
  for (const refusal of await Promise.all(attempts.map(refusalOf))) {
    expect(refusal).toBeInstanceOf(IllegalState)
    expect(refusal).toMatchObject({ reason: 'SELLER_STATE', details: { state: 'APPLIED' } })
  }
  expect((await read({ sellerId })).seller).toMatchObject({ version: 1n })
})

test('I10: a requirement is reviewed only once submitted, and not submitted twice', async () => {
  const applied = await apply(service)
  const requirement = present(applied.requirements[0], 'a requirement')
  const early = await refusalOf(service.operator.reviewRequirement(review(requirement), scope()))
  expect(early).toMatchObject({ reason: 'REQUIREMENT_STATE', details: { state: 'REQUIRED' } })
  await applied.applicant.submitRequirement(submission(requirement), scope())
  const twice = await refusalOf(
    applied.applicant.submitRequirement(submission(requirement), scope()),
  )
  expect(twice).toMatchObject({ reason: 'REQUIREMENT_STATE', details: { state: 'SUBMITTED' } })
})

test('a decision about a version that was not the last is refused', async () => {
  const applied = await apply(service)
  const stale = verb(applied.sellerId, 7n)
  expect(await refusalOf(service.operator.rejectSeller(stale, scope()))).toMatchObject({
    reason: 'VERSION_MISMATCH',
    details: { version: '1' },
  })
})

test('suspension stops selling and payouts, reinstating brings them back', async () => {
  const { sellerId } = await admitSeller(service)
  const stop = verb(sellerId, undefined, 'complaints')
  const { seller: suspended } = await service.operator.suspendSeller(stop, scope())
  expect(suspended).toMatchObject({
    state: Seller_State.SUSPENDED,
    stateReason: 'complaints',
    selling: { enabled: false, blockedBy: ['state'] },
    payouts: { enabled: false, blockedBy: ['state'] },
  })
  const back = await service.operator.reinstateSeller(verb(sellerId, undefined), scope())
  expect(back.seller).toMatchObject({ state: Seller_State.ACTIVE, stateReason: '' })
})

test('I17: to others a seller is missing, whether they read or submit', async () => {
  const applied = await apply(service)
  const { sellerId } = applied
  const requirement = present(applied.requirements[0], 'a requirement')
  const strangers = [accountCaller(), memberOf(newId('seller'))].map((caller) =>
    service.clientOf(caller),
  )
  for (const stranger of strangers) {
    const [foreign, missing] = await Promise.all(
      [sellerId, newId('seller')].map((id) =>
        refusalOf(stranger.getSeller({ sellerId: id }, scope())),
      ),
    )
    expect(foreign).toBeInstanceOf(NotFound)
    expect(String(foreign)).toBe(String(missing))
    const submitting = await refusalOf(stranger.submitRequirement(submission(requirement), scope()))
    expect(String(submitting)).toBe(String(missing))
  }
  const own = service.clientOf(memberOf(sellerId, 'viewer'))
  await expect(own.getSeller({ sellerId }, scope())).resolves.toBeDefined()
})

test('I24: the serving role can neither change history nor a policy', async () => {
  await using db = createPrimaryDb({
    url: service.database.url('app'),
    password: service.database.password,
    applicationName: 'test',
    connectionsMax: 1,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  const attempts = [
    'UPDATE seller_transition SET actor = $$x$$',
    'DELETE FROM requirement_transition',
    'UPDATE requirement_submission SET version = 9',
    'DELETE FROM price_history',
    'UPDATE requirement_def SET blocks = $${}$$',
    'DELETE FROM seller',
    'UPDATE vault_opening SET actor = $$x$$',
    'TRUNCATE seller_transition',
  ]
  for (const [index, text] of attempts.entries()) {
    const refusal = await refusalOf(db.write(sql(`test.attempt.${index}`, text)))
    expect(`${text}: ${String(refusal)}`).toMatch(/permission denied/)
  }
})
