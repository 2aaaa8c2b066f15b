/** The six services, in the order in which others depend on them. */
export const SERVICES = ['session', 'inventory', 'payment', 'seller', 'cart', 'checkout'] as const

/** A service of this system. */
export type ServiceName = (typeof SERVICES)[number]

/** The programs a service may have in its `src`. */
export type EntryName = 'main' | 'main-jobs' | 'main-worker'

/** What a process is told by its environment; each stands for one or two variables. */
export type Setting =
  | 'database'
  | 'first-operator'
  | 'grpc'
  | 'http'
  | 'identity'
  | 'nats'
  | 'operations'
  | 'page-token-key'
  | 'provider'
  | 'redis'
  | 'refresh-secrets'
  | 'signing-keys'
  | 'temporal'
  | 'vault-key'
  | 'webhook-secret'

/** One program of a service and what it has to be told: a name it does not know ends its start. */
export interface ProcessKind {
  readonly service: ServiceName
  readonly entry: EntryName
  readonly settings: readonly Setting[]
  /** The services it calls. */
  readonly peers: readonly ServiceName[]
}

const BASE = ['operations', 'database', 'nats'] as const
const SERVING = [...BASE, 'grpc', 'identity', 'page-token-key'] as const

/** Every process of the system. */
export const PROCESS_KINDS: readonly ProcessKind[] = [
  {
    service: 'session',
    entry: 'main',
    settings: [...SERVING, 'redis', 'signing-keys', 'refresh-secrets'],
    peers: [],
  },
  {
    service: 'session',
    entry: 'main-jobs',
    settings: [...BASE, 'redis', 'first-operator'],
    peers: [],
  },
  { service: 'inventory', entry: 'main', settings: SERVING, peers: ['session'] },
  { service: 'inventory', entry: 'main-jobs', settings: BASE, peers: [] },
  {
    service: 'payment',
    entry: 'main',
    settings: [...SERVING, 'http', 'provider', 'webhook-secret', 'vault-key'],
    peers: ['session'],
  },
  {
    service: 'payment',
    entry: 'main-jobs',
    settings: [...BASE, 'provider', 'vault-key'],
    peers: [],
  },
  {
    service: 'seller',
    entry: 'main',
    settings: [...SERVING, 'http', 'vault-key'],
    peers: ['session', 'inventory'],
  },
  {
    service: 'seller',
    entry: 'main-jobs',
    settings: [...BASE, 'identity', 'temporal'],
    peers: ['session', 'inventory'],
  },
  {
    service: 'seller',
    entry: 'main-worker',
    settings: ['operations', 'database', 'temporal'],
    peers: [],
  },
  {
    service: 'cart',
    entry: 'main',
    settings: [...SERVING, 'redis'],
    peers: ['session', 'inventory', 'seller'],
  },
  { service: 'cart', entry: 'main-jobs', settings: ['operations', 'database'], peers: [] },
  {
    service: 'checkout',
    entry: 'main',
    settings: [...SERVING, 'temporal', 'vault-key'],
    peers: ['session', 'inventory', 'payment', 'seller', 'cart'],
  },
  {
    service: 'checkout',
    entry: 'main-jobs',
    settings: [...BASE, 'identity', 'temporal', 'vault-key'],
    peers: ['inventory', 'payment', 'seller', 'cart'],
  },
]

/** `inventory`, `inventory-jobs`, `seller-worker`: how a process is called everywhere. */
export function processName({ service, entry }: Pick<ProcessKind, 'service' | 'entry'>): string {
  return `${service}${entry.slice('main'.length)}`
}
