import { ROOM_NAMES, roomOf } from './rule-rooms.ts'
import { isGenerated, isVendored } from './source.ts'
import type { Finding, SourceFile } from './source.ts'

const KEBAB_FILE = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config|bench))?\.(ts|mjs|sh)$/
const SNAKE_FILE = /^[a-z0-9]+(_[a-z0-9]+)*\.proto$/
const KEBAB_FOLDER = /^\.?[a-z0-9]+(-[a-z0-9]+)*$/

/** Names that say nothing about what is inside. */
const EMPTY_NAMES = new Set([
  'utils',
  'util',
  'common',
  'helpers',
  'helper',
  'shared',
  'lib',
  'misc',
])

/** Rooms that exist in one or two services only. */
const RARE_ROOMS: Readonly<Record<string, readonly string[]>> = {
  session: ['cache', 'password', 'events'],
  cart: ['cache', 'clients', 'events'],
  inventory: ['cache', 'coalescer', 'events', 'projection'],
  payment: ['cache', 'clients', 'events', 'provider', 'steps', 'risk', 'http'],
  seller: [
    'cache',
    'clients',
    'events',
    'http',
    'documents',
    'projection',
    'activities',
    'failures',
  ],
  checkout: ['cache', 'clients', 'events', 'activities', 'failures', 'waiters', 'shipping', 'tax'],
}

/** Rooms that any service may have. */
const PLAIN_ROOMS = [
  'main',
  'config',
  'server',
  'schema',
  'service',
  'access',
  'domain',
  'store',
  'telemetry',
  'jobs',
]

/** File names and the fixed vocabulary of rooms. */
export function checkNames(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    if (isGenerated(file.path) || isVendored(file.path)) return []
    const message = refuseName(file.path) ?? refuseRoom(file.path)
    return message === undefined ? [] : [{ path: file.path, line: 1, subject: file.path, message }]
  })
}

function refuseName(path: string): string | undefined {
  const segments = path.split('/')
  const name = segments.at(-1) ?? ''
  for (const segment of segments) {
    const words = segment.replace(/\..*$/, '').split('-')
    const empty = words.find((word) => EMPTY_NAMES.has(word))
    if (empty !== undefined) return `"${empty}" says nothing; name it after what it does`
  }
  if (/\.(ts|mjs|sh)$/.test(name) && !KEBAB_FILE.test(name)) return 'file names are kebab-case'
  if (name.endsWith('.proto') && !SNAKE_FILE.test(name)) return 'proto file names are snake_case'
  const folder = segments.slice(0, -1).find((segment) => !KEBAB_FOLDER.test(segment))
  return folder === undefined ? undefined : `the folder ${folder} is not kebab-case`
}

function refuseRoom(path: string): string | undefined {
  const room = roomOf(path)
  if (room === undefined || path.endsWith('.test.ts')) return undefined
  const service = path.split('/')[1] ?? ''
  if (!ROOM_NAMES.includes(room))
    return `"${room}" is no room of this house: ${ROOM_NAMES.join(', ')}`
  if (PLAIN_ROOMS.includes(room) || RARE_ROOMS[service]?.includes(room)) return undefined
  return `${service} has no room "${room}"`
}
