import { present } from '@holdfast/kernel'
import { Requirement_State, Seller_State } from '@holdfast/proto/seller'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import { connectTemporal, readHistory } from '@holdfast/temporal'
import { sellerWorkflowId } from '@holdfast/workflows/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Applied,
  type SellerUnderTest,
  admitSeller,
  apply,
  scope,
  startSeller,
} from './seller-under-test.ts'

let service: SellerUnderTest
let temporal: Awaited<ReturnType<typeof connectTemporal>>
const running: AsyncDisposable[] = []

beforeAll(async () => {
  service = await startSeller()
  running.push(await service.startJobs(), await service.startWorker())
  temporal = await connectTemporal({
    address: backing().temporalAddress,
    namespace: 'default',
    clock: systemClock,
    log: SILENT_LOGGER,
  })
})

afterAll(async () => {
  for (const one of running) await one[Symbol.asyncDispose]()
  await temporal[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
})

const handleOf = ({ sellerId }: Pick<Applied, 'sellerId'>) =>
  temporal.connected().client.workflow.getHandle(sellerWorkflowId(sellerId))

/** The status of the seller's run; a run that is not there yet throws, and is asked for again. */
async function statusOf(applied: Pick<Applied, 'sellerId'>): Promise<string> {
  return (await handleOf(applied).describe()).status.name
}

/** Moves the seller's rows into the past, as if the days had gone by. */
async function age({ seller }: Applied, days: number): Promise<void> {
  await service.database.query(
    `UPDATE seller SET state_since = state_since - make_interval(days => $2) WHERE legal_name = $1`,
    [seller.legalName, days],
  )
}

/** Has the sweep look at the seller now. */
async function sweep({ seller }: Applied): Promise<void> {
  await service.database.query(
    `UPDATE onboarding_signal o SET due_at = now(), serial = serial + 1
     FROM seller s WHERE s.seller_id = o.seller_id AND s.legal_name = $1`,
    [seller.legalName],
  )
}

test('each seller has a workflow, which reminds when the rows say so', async () => {
  const applied = await apply(service)
  await eventually(async () => (await statusOf(applied)) === 'RUNNING', { withinMs: 60_000 })
  await age(applied, 4)
  await sweep(applied)
  await eventually(
    async () => {
      const rows = await service.database.query(
        `SELECT r.kind FROM reminder r JOIN seller s USING (seller_id) WHERE s.legal_name = $1`,
        [applied.seller.legalName],
      )
      expect(rows).toEqual([{ kind: 'remind-seller' }])
    },
    { withinMs: 60_000 },
  )
})

test('an application that nobody goes on with is closed, and its workflow ends', async () => {
  const applied = await apply(service)
  await eventually(async () => (await statusOf(applied)) === 'RUNNING', { withinMs: 60_000 })
  await service.database.query(
    `INSERT INTO reminder (seller_id, kind, due_at)
     SELECT seller_id, 'remind-seller', now() FROM seller WHERE legal_name = $1`,
    [applied.seller.legalName],
  )
  await age(applied, 91)
  await sweep(applied)
  await eventually(async () => (await statusOf(applied)) === 'COMPLETED', { withinMs: 60_000 })
  const { seller } = await service.operator.getSeller({ sellerId: applied.sellerId }, scope())
  expect(seller?.state).toBe(Seller_State.CLOSED)
  await eventually(
    async () => {
      const rows = await service.database.query(
        `SELECT 1 FROM onboarding_signal JOIN seller USING (seller_id) WHERE legal_name = $1`,
        [applied.seller.legalName],
      )
      return rows.length === 0
    },
    { withinMs: 60_000 },
  )
})

test('an acceptance that ran out opens the requirement and blocks its capability', async () => {
  const applied = await admitSeller(service)
  await eventually(async () => (await statusOf(applied)) === 'RUNNING', { withinMs: 60_000 })
  await service.database.query(
    `UPDATE requirement r SET expires_at = now() - interval '1 minute'
     FROM seller s WHERE s.seller_id = r.seller_id AND s.legal_name = $1
       AND r.key = 'payout_account'`,
    [applied.seller.legalName],
  )
  await sweep(applied)
  const read = async () => {
    const answer = await service.operator.getSeller({ sellerId: applied.sellerId }, scope())
    return { seller: present(answer.seller, 'the seller'), requirements: answer.requirements }
  }
  await eventually(
    async () => {
      const { seller, requirements } = await read()
      expect(requirements.find((one) => one.key === 'payout_account')?.state).toBe(
        Requirement_State.EXPIRED,
      )
      expect(seller.payouts).toMatchObject({ enabled: false, blockedBy: ['payout_account'] })
      expect(seller.selling?.enabled).toBe(true)
    },
    { withinMs: 60_000 },
  )
})

test('a workflow that was lost is built again by the sweep', async () => {
  const applied = await apply(service)
  await eventually(async () => (await statusOf(applied)) === 'RUNNING', { withinMs: 60_000 })
  const first = await handleOf(applied).describe()
  await handleOf(applied).terminate('lost, for a test')
  await sweep(applied)
  await eventually(
    async () => {
      const now = await handleOf(applied).describe()
      return now.status.name === 'RUNNING' && now.runId !== first.runId
    },
    { withinMs: 60_000 },
  )
})

test('I23: a history holds ids and states, and nothing that the seller said', async () => {
  const applied = await admitSeller(service)
  await eventually(async () => (await statusOf(applied)) === 'RUNNING', { withinMs: 60_000 })
  const history = JSON.stringify(await readHistory(temporal, sellerWorkflowId(applied.sellerId)))
  const inBase64 = Buffer.from(applied.seller.legalName).toString('base64').slice(0, 20)
  expect(history).not.toContain(applied.seller.legalName)
  expect(history).not.toContain(inBase64)
  expect(history).toContain(Buffer.from(`{"sellerId":"${applied.sellerId}"}`).toString('base64'))
})
