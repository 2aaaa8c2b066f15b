import { factsOf } from './facts.ts'
import type { ImportUse } from './facts.ts'
import { isCode } from './source.ts'
import type { Finding, SourceFile } from './source.ts'
import { resolveFrom } from './rule-walls.ts'

interface Room {
  /** Rooms of the same service it may use. */
  readonly rooms: readonly string[]
  /** Rooms it may know by their types only; the composition root hands it the values. */
  readonly types: readonly string[]
  /** Packages of this workspace it may import, by the last part of their name. */
  readonly packages: readonly string[]
  /** Packages whose types alone it may know. */
  readonly packageTypes: readonly string[]
  /** Vendor libraries. */
  readonly vendors: readonly string[]
}

/** What every room may use: names of metrics, the settings' types, the kernel, the log. */
const EVERYWHERE: Room = {
  rooms: ['telemetry'],
  types: ['config'],
  packages: ['kernel', 'telemetry'],
  packageTypes: [],
  vendors: [],
}

function room(part: Partial<Room>): Room {
  return { rooms: [], types: [], packages: [], packageTypes: [], vendors: [], ...part }
}

const ANY = ['*'] as const

/**
 * The rooms of a service and what each may use. The composition root alone sees everything; every
 * other room is given its neighbours as values and knows their types.
 */
const ROOMS: Readonly<Record<string, Room>> = {
  main: room({
    rooms: ['config', 'server', 'jobs', 'activities'],
    packages: ['runtime', 'temporal'],
  }),
  config: room({ packages: ['runtime', 'rpc'], packageTypes: ['pg', 'bus'], vendors: ['zod'] }),
  server: room({ rooms: ANY, types: ANY, packages: ANY, packageTypes: ANY }),
  telemetry: room({}),
  access: room({ packages: ['rpc', 'proto'] }),
  schema: room({ rooms: ['domain'], packages: ['proto', 'rpc'], vendors: ['zod'] }),
  service: room({
    rooms: ['domain', 'schema', 'access'],
    types: ['store', 'cache', 'clients', 'coalescer', 'password', 'projection', 'steps', 'waiters'],
    packages: ['proto', 'rpc'],
    packageTypes: ['runtime', 'pg'],
  }),
  domain: room({}),
  store: room({
    rooms: ['domain', 'events'],
    packages: ['pg', 'outbox'],
    packageTypes: ['runtime', 'vault'],
  }),
  cache: room({ rooms: ['domain'], packages: ['cache'] }),
  events: room({
    rooms: ['domain'],
    packages: ['proto', 'bus'],
    packageTypes: ['outbox'],
  }),
  jobs: room({
    rooms: ['store', 'events', 'domain'],
    types: ['provider', 'clients', 'cache', 'steps'],
    packages: ['outbox', 'bus', 'runtime'],
    packageTypes: ['pg', 'temporal'],
  }),
  clients: room({ rooms: ['domain'], packages: ['proto', 'rpc'], vendors: ['lru-cache'] }),
  // It trusts no answer from outside before a schema has read it.
  provider: room({ rooms: ['domain'], vendors: ['stripe', 'zod'] }),
  // Talks to a provider between two transactions, for the service and the jobs alike.
  steps: room({ rooms: ['domain'], types: ['store', 'provider'] }),
  http: room({
    rooms: ['schema', 'domain', 'access'],
    types: ['store', 'clients', 'documents', 'provider', 'service'],
    packages: ['rpc', 'proto'],
    vendors: ['fastify', 'zod'],
  }),
  documents: room({ rooms: ['domain'], types: ['store'], packages: ['vault'] }),
  activities: room({
    rooms: ['store', 'clients', 'failures', 'domain'],
    packages: ['workflows', 'temporal'],
  }),
  failures: room({ packages: ['rpc', 'temporal'] }),
  coalescer: room({ rooms: ['domain', 'store'], packageTypes: ['pg', 'runtime'] }),
  // It answers streams in the same messages as the service does.
  projection: room({
    rooms: ['events', 'domain', 'store', 'service'],
    packages: ['bus', 'outbox', 'proto'],
    packageTypes: ['pg', 'runtime'],
  }),
  password: room({ rooms: ['domain'], packages: ['runtime'] }),
  risk: room({ rooms: ['domain'], types: ['store', 'provider'] }),
  waiters: room({ rooms: ['domain'], types: ['store'], packages: ['bus', 'runtime'] }),
  shipping: room({ rooms: ['domain'], types: ['store', 'clients'], packages: ['runtime'] }),
  tax: room({ rooms: ['domain'] }),
}

const SOURCE = /^services\/[^/]+\/src\/(.+)\.ts$/

/** The room a file of a service belongs to: its folder, or the first word of its name. */
export function roomOf(path: string): string | undefined {
  const inside = SOURCE.exec(path)?.[1]
  return inside?.split('/')[0]?.split('-')[0]
}

/** The rooms this house knows. */
export const ROOM_NAMES: readonly string[] = Object.keys(ROOMS)

/** Room walls inside each service, values and types told apart. */
export function checkRooms(files: readonly SourceFile[]): Finding[] {
  return files
    .filter((file) => SOURCE.test(file.path) && isCode(file.path))
    .filter((file) => !file.path.endsWith('.test.ts'))
    .flatMap(roomFindings)
}

function roomFindings(file: SourceFile): Finding[] {
  const own = roomOf(file.path) ?? ''
  const rules = ROOMS[own]
  if (rules === undefined) return []
  const findings: Finding[] = []
  for (const use of factsOf(file).imports) {
    const message = refuse(file.path, own, rules, use)
    if (message === undefined) continue
    findings.push({ path: file.path, line: use.line, subject: use.specifier, message })
  }
  return findings
}

function refuse(path: string, own: string, rules: Room, use: ImportUse): string | undefined {
  if (use.specifier.startsWith('node:')) return undefined
  if (use.specifier.startsWith('.')) return refuseRoom(path, own, rules, use)
  const ours = /^@holdfast\/([^/]+)/.exec(use.specifier)?.[1]
  if (ours === undefined) {
    if (allowed(rules.vendors, use.specifier) || own === 'server') return undefined
    return `${own} may not use ${use.specifier}; it belongs to another room or package`
  }
  if (allowed([...rules.packages, ...EVERYWHERE.packages], ours)) return undefined
  if (!allowed(rules.packageTypes, ours)) return `${own} may not use the package ${ours}`
  return use.typeOnly ? undefined : `${own} may know only the types of the package ${ours}`
}

function refuseRoom(path: string, own: string, rules: Room, use: ImportUse): string | undefined {
  const target = roomOf(resolveFrom(path, use.specifier))
  if (target === undefined || target === own) return undefined
  if (allowed([...rules.rooms, ...EVERYWHERE.rooms], target)) return undefined
  if (!allowed([...rules.types, ...EVERYWHERE.types], target)) {
    return `${own} may not use ${target}; server.ts composes them`
  }
  if (use.typeOnly) return undefined
  return `${own} may know only the types of ${target}; server.ts hands it the value`
}

function allowed(names: readonly string[], name: string): boolean {
  return names.includes(name) || names.includes('*')
}
