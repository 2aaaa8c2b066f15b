import { BadOptions, readArguments } from '../command.ts'

/** What a run was asked for. */
export type Options =
  | { readonly kind: 'help' }
  | { readonly kind: 'list' }
  | {
      readonly kind: 'run'
      /** Orders the faults and times everything; the same seed gives the same schedule. */
      readonly seed: number
      /** Only faults whose name contains this. */
      readonly only: string
      /** At most so many faults; undefined: every one once. */
      readonly rounds: number | undefined
    }

const SEED_MAX = 2 ** 31 - 1

/** What `--help` prints. */
export const HELP = `npm run chaos                     every fault once, in an order of its own
npm run chaos -- --seed 7         in the order, and with the times, of that seed
npm run chaos -- --rounds 10      the first ten of the order
npm run chaos -- --only payment   the faults whose name contains the word
npm run chaos -- --list           their names
`

/** Reads the arguments behind `npm run chaos --`; `freshSeed` is used when none is given. */
export function parseOptions(args: readonly string[], freshSeed: number): Options {
  const { values } = readArguments('chaos', {
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      list: { type: 'boolean' },
      seed: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
    },
  })
  if (values.help === true) return { kind: 'help' }
  if (values.list === true) return { kind: 'list' }
  return {
    kind: 'run',
    seed: wholeNumber('--seed', values.seed, { min: 0, max: SEED_MAX }) ?? freshSeed,
    only: values.only ?? '',
    rounds: wholeNumber('--rounds', values.rounds, { min: 1, max: 10_000 }),
  }
}

function wholeNumber(
  name: string,
  raw: string | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  if (raw === undefined) return undefined
  const value = /^\d{1,10}$/.test(raw) ? Number(raw) : Number.NaN
  if (value >= min && value <= max) return value
  throw new BadOptions(`${name} must be a whole number from ${min} to ${max}, not "${raw}".`)
}
