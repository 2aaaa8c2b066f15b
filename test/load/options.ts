import { BadOptions, readArguments } from '../command.ts'

/** What a run of the benchmarks was asked for. */
export type Options =
  | { readonly kind: 'help' }
  | { readonly kind: 'list' }
  | {
      readonly kind: 'run'
      readonly name: string
      /** File to write the lines to as JSON. */
      readonly jsonFile: string | undefined
      /** Run although the machine is not idle. */
      readonly force: boolean
    }

/** What `--help` prints. */
export const HELP = `npm run bench                        lists the benchmarks
npm run bench -- <name>              runs one and prints a table
npm run bench -- <name> --json FILE  writes the same as JSON, too
npm run bench -- <name> --force      runs although the machine is not idle, and notes it
`

/** Reads the arguments behind `npm run bench --`. `names` are the benchmarks there are. */
export function parseOptions(args: readonly string[], names: readonly string[]): Options {
  const { values, positionals } = readArguments('bench', {
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      json: { type: 'string' },
      force: { type: 'boolean' },
    },
  })
  if (values.help === true) return { kind: 'help' }
  const [name, ...rest] = positionals
  if (name === undefined) return { kind: 'list' }
  if (rest.length > 0) throw new BadOptions('Name one benchmark at a time.')
  if (!names.includes(name)) {
    throw new BadOptions(`There is no benchmark "${name}"; there are ${names.join(', ')}.`)
  }
  return { kind: 'run', name, jsonFile: values.json, force: values.force === true }
}
