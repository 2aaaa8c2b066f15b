import { SetupError } from '@holdfast/backing'
import { SERVICES, type ServiceName } from './processes.ts'

/** How many copies of each service run; 1 unless said otherwise. */
export type Copies = Readonly<Record<ServiceName, number>>

/** Bound on copies: each service has ten ports of each kind. */
const COPIES_MAX = 9

/** The copies in `inventory=2,checkout=3`; SetupError when a name or number is not good. */
export function parseCopies(raw: string): Copies {
  const copies = Object.fromEntries(SERVICES.map((name) => [name, 1])) as Record<
    ServiceName,
    number
  >
  for (const part of raw.split(',').filter((one) => one !== '')) {
    const [name = '', count = '', ...rest] = part.split('=')
    if (!isService(name) || rest.length > 0) {
      throw new SetupError(
        `--copies does not know "${part}": write service=count, such as inventory=2. ` +
          `Services are ${SERVICES.join(', ')}.`,
      )
    }
    if (!/^[1-9]$/.test(count)) {
      throw new SetupError(`--copies ${name} must be a number from 1 to ${COPIES_MAX}.`)
    }
    copies[name] = Number(count)
  }
  return copies
}

function isService(name: string): name is ServiceName {
  return (SERVICES as readonly string[]).includes(name)
}
