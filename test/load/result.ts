import { spreadOf } from './statistics.ts'

/** What a ratio is meant to be. An aim is recorded and told, never enforced. */
export interface Aim {
  readonly kind: 'at most' | 'at least'
  readonly bound: number
}

/** One round's two sides; what is counted per purchase has a denominator of 1. */
export interface Round {
  readonly numerator: number
  readonly denominator: number
}

/** One line of the outcome; an array of them is what `--json` writes. */
export interface Result {
  /** `checkout-rate/echo/8`: the benchmark, what is divided by, and how much at once. */
  readonly benchmark: string
  /** Median of the rounds' ratios. */
  readonly ratio: number
  /** `>= 0.8`, or null when the number is only reported. */
  readonly aim: string | null
  readonly met: boolean | null
  /** Median of the rounds. */
  readonly numerator: number
  /** Median of the rounds. */
  readonly denominator: number
  /** Of numerator and denominator. */
  readonly unit: string
  readonly rounds: number
  /** Spread of the ratio, and what one has to know to read it. */
  readonly note: string
}

/** Draws the rounds of one measurement together. Fails without a round. */
export function resultOf(measured: {
  readonly benchmark: string
  readonly unit: string
  readonly rounds: readonly Round[]
  readonly aim?: Aim
  readonly note?: string
}): Result {
  const { aim, rounds } = measured
  const ratios = rounds.map(({ numerator, denominator }) => numerator / denominator)
  const { median: ratio, least, most } = spreadOf(ratios)
  const notes = [`${formatNumber(least)} to ${formatNumber(most)}`, measured.note ?? '']
  return {
    benchmark: measured.benchmark,
    ratio,
    aim: aim === undefined ? null : aimText(aim),
    met: aim === undefined ? null : isMet(aim, ratio),
    numerator: spreadOf(rounds.map((round) => round.numerator)).median,
    denominator: spreadOf(rounds.map((round) => round.denominator)).median,
    unit: measured.unit,
    rounds: rounds.length,
    note: notes.filter((note) => note !== '').join('; '),
  }
}

/** The same line with a further note, such as that the machine was not idle. */
export function withNote(result: Result, note: string): Result {
  return { ...result, note: `${result.note}; ${note}` }
}

function aimText({ kind, bound }: Aim): string {
  return `${kind === 'at most' ? '<=' : '>='} ${bound}`
}

function isMet({ kind, bound }: Aim, ratio: number): boolean {
  return kind === 'at most' ? ratio <= bound : ratio >= bound
}

/** The lines as the file of `--json` holds them. */
export function toJson(results: readonly Result[]): string {
  return `${JSON.stringify(results, undefined, 2)}\n`
}

const HEADING = ['benchmark', 'ratio', 'aim', 'met', 'measured', 'divided by', 'unit', 'rounds']

/** The lines for people: a table, with each note below its line. */
export function toTable(results: readonly Result[]): string {
  const rows = results.map(cellsOf)
  const widths = HEADING.map((heading, column) =>
    Math.max(heading.length, ...rows.map((cells) => cells[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const lines = results.flatMap((result, index) => [
    line(rows[index] ?? []),
    ...(result.note === '' ? [] : [`    ${result.note}`]),
  ])
  return `${[line(HEADING), ...lines].join('\n')}\n`
}

function cellsOf(result: Result): readonly string[] {
  const { met } = result
  return [
    result.benchmark,
    formatNumber(result.ratio),
    result.aim ?? '-',
    met === null ? '-' : met ? 'yes' : 'NO',
    formatNumber(result.numerator),
    formatNumber(result.denominator),
    result.unit,
    String(result.rounds),
  ]
}

/** As many decimals as tell something: `1234`, `56.7`, `0.81`, `13`. */
export function formatNumber(value: number): string {
  const decimals = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return String(Number(value.toFixed(decimals)))
}
