import { CODE, type Row, type RowClass, said } from './row.ts'
import { settled } from './settled.ts'
import type { Target } from './target.ts'
import type { Answer, RawCall } from './wire.ts'
import { effectsOf, tablesOf } from './witness.ts'

/** What came of one row. */
export interface RowResult {
  readonly class: RowClass
  readonly name: string
  readonly calls: number
  readonly problem: string | undefined
}

/** Calls under way at once: far below what a server admits, enough to keep two cores busy. */
const PARALLEL_MAX = 12
/** Tries of a call that a busy machine refused for now. */
const TRIES_MAX = 20

/** Tells of each sealed value that an answer opened, also for one that then was refused. */
const AUDIT_TABLE = 'vault_opening'

/** Text of the inside, which no answer may hold. */
const INSIDE = [
  /\n\s+at |node:internal|\.ts:\d|ECONN/,
  /SELECT |INSERT |violates|duplicate key|postgres/i,
  /ZodError|undefined is not|Cannot read/,
]

/** Sends every row of an RPC, some at once, and sees that none has an effect, now or soon after. */
export async function sendRows(
  target: Target,
  options: {
    readonly path: string
    readonly rows: readonly Row[]
    readonly isStream: boolean
    /** What the rows and their caller name: what is done to it beside the calls counts as well. */
    readonly named: ReadonlySet<string>
  },
): Promise<RowResult[]> {
  await settled(target)
  const results = await sendAll(target, options)
  const effects = effectsOf(await settled(target), options.named)
  const tables = tablesOf(effects).filter((table) => table !== AUDIT_TABLE)
  if (tables.length === 0) return results
  const problem = `the rows changed ${tables.join(', ')}`
  const [first] = options.rows
  return [...results, { class: first?.class ?? 'wire', name: 'all', calls: 0, problem }]
}

async function sendAll(
  target: Target,
  { path, rows, isStream }: { path: string; rows: readonly Row[]; isStream: boolean },
): Promise<RowResult[]> {
  const results: RowResult[] = []
  const waiting = rows.values()
  const work = async (): Promise<void> => {
    for (const row of waiting) results.push(await sendOne(target, row, { path, isStream }))
  }
  await Promise.all(Array.from({ length: PARALLEL_MAX }, work))
  return results
}

async function sendOne(
  target: Target,
  row: Row,
  { path, isStream }: { readonly path: string; readonly isStream: boolean },
): Promise<RowResult> {
  let calls = 0
  let answer: Answer
  do {
    calls += 1
    answer = await ask(target, { path, firstMessageOnly: isStream, ...row.call })
  } while (isOfTheMoment(answer) && calls < TRIES_MAX)
  const problem = insideOf(answer) ?? row.check(answer)
  return { class: row.class, name: row.name, calls, problem }
}

/** A stream that the server breaks off without a status is an answer too. */
async function ask(target: Target, call: RawCall): Promise<Answer> {
  try {
    return await target.raw.call(call)
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return { code: undefined, reason: '', text, violations: [], messages: [] }
  }
}

/** True for a refusal that says nothing about the call but that the machine is busy. */
function isOfTheMoment({ code, reason }: Answer): boolean {
  return reason === 'OVERLOADED' || code === CODE.unavailable || code === CODE.deadlineExceeded
}

function insideOf(answer: Answer): string | undefined {
  if (answer.code === CODE.internal || answer.code === CODE.unknown) return said(answer)
  return INSIDE.some((one) => one.test(answer.text))
    ? `the inside shows in ${said(answer)}`
    : undefined
}
