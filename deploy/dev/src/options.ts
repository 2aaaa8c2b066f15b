import path from 'node:path'
import { SetupError } from '@holdfast/backing'
import { Command, CommanderError } from 'commander'
import { type Copies, parseCopies } from './copies.ts'
import {
  FIXED_BACKING_PORTS,
  FIXED_FAULT_PROXY_PORT,
  FIXED_PORT_BASES,
  FIXED_SIMULATOR_PORT,
} from './ports.ts'
import { SERVICES } from './processes.ts'

/** What a start was asked for. */
export interface StartOptions {
  /** Stop after the purchase. */
  readonly exit: boolean
  readonly copies: Copies
  /** Absolute path. */
  readonly dataFolder: string
  readonly only: 'everything' | 'backing'
  readonly purchase: boolean
  readonly ports: 'fixed' | 'auto'
  /** A proxy on every link and crash points that can be armed: to rehearse failures. */
  readonly faults: boolean
  /** Extra settings of the payment simulator by name, such as ANSWER_DELAY_MS. */
  readonly simulator: Readonly<Record<string, string>>
}

/** Asked for help: `text` is to be printed, and the program to end well. */
export interface HelpWanted {
  readonly help: string
}

interface RawOptions {
  readonly exit?: true
  readonly copies?: string
  readonly data: string
  readonly only?: string
  readonly purchase: boolean
  readonly ports: string
  readonly faults?: true
  readonly paymentSimulatorOptions?: string
}

/** Reads the arguments behind `npm start --`; SetupError names the one that is not good. */
export function parseStartOptions(
  args: readonly string[],
  folder: string,
): StartOptions | HelpWanted {
  const printed: string[] = []
  const command = describeCommand().configureOutput({
    writeOut: (text) => void printed.push(text),
    writeErr: () => undefined,
  })
  try {
    command.parse([...args], { from: 'user' })
  } catch (failure) {
    if (!(failure instanceof CommanderError)) throw failure
    if (failure.code === 'commander.helpDisplayed') return { help: printed.join('') }
    const what = failure.message.replace(/^error: /, '').replace(/\.$/, '')
    const told = `${what.charAt(0).toUpperCase()}${what.slice(1)}`
    throw new SetupError(`${told}. See npm start -- --help.`, { cause: failure })
  }
  const raw = command.opts<RawOptions>()
  const only = oneOf('--only', raw.only ?? 'everything', ['everything', 'backing'])
  return {
    exit: raw.exit ?? false,
    copies: parseCopies(raw.copies ?? ''),
    dataFolder: path.resolve(folder, raw.data),
    only,
    // There is nobody to buy from where only the servers run.
    purchase: raw.purchase && only === 'everything',
    ports: oneOf('--ports', raw.ports, ['fixed', 'auto']),
    faults: raw.faults ?? false,
    simulator: parsePairs('--payment-simulator-options', raw.paymentSimulatorOptions ?? ''),
  }
}

function describeCommand(): Command {
  return new Command('npm start --')
    .description('Starts the whole marketplace on this machine and makes a purchase in it.')
    .option('--exit', 'stop after the purchase; exit code 0 only if all holds that must')
    .option('--copies <list>', 'copies of services, such as inventory=2,checkout=2')
    .option('--data <folder>', 'where everything is kept from start to start', '.holdfast')
    .option('--only <part>', 'backing: Postgres, Redis, NATS and Temporal alone')
    .option('--no-purchase', 'serve without sellers and a purchase')
    .option('--ports <kind>', 'fixed: the ports below; auto: any free ones', 'fixed')
    .option('--faults', 'links that can be cut and crash points that can be armed')
    .option(
      '--payment-simulator-options <list>',
      'settings of the payment simulator, such as ANSWER_DELAY_MS=200,HANG_MS=5000',
    )
    .addHelpText('after', portsHelp())
    .exitOverride()
}

function portsHelp(): string {
  const { grpc, http, operations } = FIXED_PORT_BASES
  const backing = FIXED_BACKING_PORTS
  const services = SERVICES.map((service, index) => {
    const offset = 10 * (index + 1)
    return `  ${service.padEnd(10)} ${grpc + offset}   ${operations.main + offset}`
  })
  return `
Fixed ports (copy n of a service has n - 1 more):
  Postgres ${backing.postgres}, Redis ${backing.redis}, NATS ${backing.nats}
  Temporal ${backing.temporal}, its Web UI ${backing.temporalWebUi}
  payment simulator ${FIXED_SIMULATOR_PORT}
  Toxiproxy ${FIXED_FAULT_PROXY_PORT}, with --faults
  service    gRPC   /metrics, /readyz (jobs: + 100, worker: + 200)
${services.join('\n')}
  onboarding API ${http + 10 * (SERVICES.indexOf('seller') + 1)}
  payment webhooks ${http + 10 * (SERVICES.indexOf('payment') + 1)}

With --faults every link between two processes, or to a server, goes through Toxiproxy, whose HTTP
API names it checkout-1-to-payment-1, and a file in <data>/crash-points ends by SIGKILL the first
process that comes to the crash point of its name.

Everything that runs is listed in <data>/endpoints.json while it runs; logs are in <data>/logs,
generated secrets in <data>/secrets. Existing servers are used instead of started ones when
HOLDFAST_BACKING_POSTGRES_URL, HOLDFAST_BACKING_REDIS_URL, HOLDFAST_BACKING_NATS_URL or
HOLDFAST_BACKING_TEMPORAL_ADDRESS is set. HOLDFAST_DOWNLOADS=off builds what is missing instead of
downloading it; HOLDFAST_CACHE_FOLDER says where it is kept (default ~/.cache/holdfast).
`
}

function oneOf<const T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found !== undefined) return found
  throw new SetupError(`${name} must be ${allowed.join(' or ')}, not "${value}".`)
}

function parsePairs(name: string, raw: string): Record<string, string> {
  const pairs = raw.split(',').filter((part) => part !== '')
  return Object.fromEntries(
    pairs.map((part) => {
      const match = /^([A-Z][A-Z0-9_]*)=(.+)$/.exec(part)
      if (match === null) throw new SetupError(`${name} does not know "${part}": write NAME=value.`)
      return [match[1] ?? '', match[2] ?? '']
    }),
  )
}
