import { present } from '@holdfast/kernel'
import { type RecordedHistory, readHistory, type TemporalLink } from '@holdfast/temporal'
import {
  byProcess,
  type Counts,
  readCounts,
  type Usage,
  usagePerPurchase,
  type Window,
} from './counts.ts'
import type { Echo } from './echo.ts'
import type { House } from './house.ts'
import { buy, prepare } from './purchases.ts'
import { formatNumber, type Aim, type Result, resultOf } from './result.ts'
import { letPass } from '../pace.ts'

const ROUNDS = 5
const PURCHASES_PER_ROUND = 10

/** What comes after the last answer (claims, webhooks, facts) is over by then, ms. */
const AFTERMATH_MS = 3_000

/** What loops use without purchases is measured over this long, ms. */
const IDLE_MS = 10_000

const EVENTS_MAX: Aim = { kind: 'at most', bound: 13 }
const WORKFLOW_TASKS_MAX: Aim = { kind: 'at most', bound: 2 }
const CHECKOUT_STATEMENTS_MAX: Aim = { kind: 'at most', bound: 30 }

/** The process whose statements are checkout's own part. */
const CHECKOUT = 'checkout'

/** What one purchase costs, one behind the other, so that the counts are of it alone. */
export async function measureCost(house: House, { link }: Echo): Promise<readonly Result[]> {
  const { marketplace, report } = house
  const database = house.database('checkout', 1)
  const read = (): Promise<Counts> => readCounts(marketplace, database)
  report(`Cost: ${IDLE_MS / 1_000} s without purchases`)
  await letPass(AFTERMATH_MS)
  const idle = await windowOf(read, () => letPass(IDLE_MS))
  const usages: Usage[] = []
  const histories: RecordedHistory[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    report(`Cost: round ${round} of ${ROUNDS}`)
    const readies = await prepare(house, PURCHASES_PER_ROUND)
    await letPass(AFTERMATH_MS)
    const orderIds: string[] = []
    const busy = await windowOf(read, async () => {
      for (const ready of readies) orderIds.push((await buy(house, ready, 'PAID')).orderId)
      await letPass(AFTERMATH_MS)
    })
    usages.push(usagePerPurchase({ busy, idle, purchases: PURCHASES_PER_ROUND }))
    histories.push(...(await readHistories(link, orderIds)))
    for (const { guest } of readies) await guest[Symbol.asyncDispose]()
  }
  tellStatements(house, usages)
  return [...historyResults(histories), ...usageResults(usages)]
}

/** One line per process with its statements, since a sum does not say where to look. */
function tellStatements({ report }: House, usages: readonly Usage[]): void {
  const statements = meanOf(usages.map((usage) => usage.statements))
  for (const process of byProcess(statements).keys()) {
    const own = [...statements].filter(([name]) => name.startsWith(`${process} `))
    const told = parts(new Map(own.map(([name, value]) => [name.slice(process.length + 1), value])))
    if (told !== '') report(`Statements of ${process} per purchase: ${told}`)
  }
}

async function windowOf(read: () => Promise<Counts>, act: () => Promise<void>): Promise<Window> {
  const before = await read()
  await act()
  return { before, after: await read() }
}

async function readHistories(
  link: TemporalLink,
  orderIds: readonly string[],
): Promise<readonly RecordedHistory[]> {
  const histories: RecordedHistory[] = []
  for (const orderId of orderIds) histories.push(await readHistory(link, `order/${orderId}`))
  return histories
}

/** Each history is a round of its own: what is exact needs no mean. */
function historyResults(histories: readonly RecordedHistory[]): readonly Result[] {
  const typesOf = ({ events }: RecordedHistory): readonly string[] =>
    events.map(({ eventType }) => eventType.replace('EVENT_TYPE_', ''))
  const longest = present(
    histories.toSorted((left, right) => right.events.length - left.events.length)[0],
    'a history',
  )
  return [
    perPurchase({
      what: 'events',
      unit: 'history events',
      values: histories.map(({ events }) => events.length),
      aim: EVENTS_MAX,
      note: `the longest: ${countedNames(typesOf(longest))}`,
    }),
    perPurchase({
      what: 'workflow-tasks',
      unit: 'workflow tasks',
      values: histories.map(
        (history) => typesOf(history).filter((type) => type === 'WORKFLOW_TASK_SCHEDULED').length,
      ),
      aim: WORKFLOW_TASKS_MAX,
    }),
  ]
}

/** `A 3, B 1` of a list of names, in the order they first appear. */
function countedNames(names: readonly string[]): string {
  const counted = Map.groupBy(names, (name) => name)
  return [...counted].map(([name, all]) => `${name} ${all.length}`).join(', ')
}

function usageResults(usages: readonly Usage[]): readonly Result[] {
  const statements = meanOf(usages.map((usage) => usage.statements))
  const cpu = usages.flatMap(({ cpuMs }) => (cpuMs === undefined ? [] : [cpuMs]))
  return [
    perPurchase({
      what: 'statements-checkout',
      unit: 'SQL statements',
      values: usages.map((usage) => byProcess(usage.statements).get(CHECKOUT) ?? 0),
      aim: CHECKOUT_STATEMENTS_MAX,
      note: 'of the process that serves checkout; BEGIN and COMMIT not counted',
    }),
    perPurchase({
      what: 'statements',
      unit: 'SQL statements',
      values: usages.map((usage) => sum(usage.statements)),
      note: parts(byProcess(statements)),
    }),
    perPurchase({
      what: 'calls',
      unit: 'gRPC calls',
      values: usages.map(({ calls }) => sum(calls)),
      note: parts(meanOf(usages.map(({ calls }) => calls))),
    }),
    perPurchase({
      what: 'wal',
      unit: 'bytes of log',
      values: usages.map(({ walBytes }) => walBytes),
      note: 'Postgres alone; the first change of a page after a checkpoint writes all of it',
    }),
    ...(cpu.length === 0
      ? []
      : [
          perPurchase({
            what: 'cpu',
            unit: 'ms of CPU',
            values: cpu,
            note: 'every process of the marketplace and its servers, not the buyers',
          }),
        ]),
  ]
}

function perPurchase(cost: {
  readonly what: string
  readonly unit: string
  readonly values: readonly number[]
  readonly aim?: Aim
  readonly note?: string
}): Result {
  return resultOf({
    benchmark: `checkout-cost/${cost.what}`,
    unit: `${cost.unit} per purchase`,
    rounds: cost.values.map((numerator) => ({ numerator, denominator: 1 })),
    ...(cost.aim === undefined ? {} : { aim: cost.aim }),
    ...(cost.note === undefined ? {} : { note: cost.note }),
  })
}

function sum(values: ReadonlyMap<string, number>): number {
  return [...values.values()].reduce((total, value) => total + value, 0)
}

/** Below it a process took no part in the purchase; its loops ran a little more or less often. */
const PART_MIN = 0.1

function parts(values: ReadonlyMap<string, number>): string {
  return [...values]
    .filter(([, value]) => value >= PART_MIN)
    .toSorted(([, left], [, right]) => right - left)
    .map(([name, value]) => `${name} ${formatNumber(value)}`)
    .join(', ')
}

function meanOf(rounds: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const names = new Set(rounds.flatMap((round) => [...round.keys()]))
  const mean = (name: string): number =>
    rounds.reduce((total, round) => total + (round.get(name) ?? 0), 0) / rounds.length
  return new Map([...names].map((name) => [name, mean(name)]))
}
