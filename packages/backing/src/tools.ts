import { readFileSync } from 'node:fs'
import path from 'node:path'
import { SetupError } from './setup-error.ts'
import { readVersion, type Version } from './version.ts'

/** A file name on PATH and, where they differ, the name the program must be called by. */
export interface ProgramName {
  readonly file: string
  readonly argv0?: string
}

/** A server program as looked for on PATH. */
export interface Tool {
  readonly name: string
  readonly programs: readonly ProgramName[]
  /** The oldest version that has what this system uses. */
  readonly minimum: Version
  /** The version in the answer to `--version`. */
  readonly versionIn: (answer: string) => Version | undefined
}

/** A tool of `deploy/tools/go.mod`: downloaded from its vendor or built by Go. */
export interface GoTool extends Tool {
  readonly module: string
  readonly goPackage: string
  readonly buildTakes: string
  readonly release: (release: ReleaseTarget) => Release
}

/** For which machine and version a release is wanted; Go's names for system and processor. */
export interface ReleaseTarget {
  readonly version: string
  readonly system: string
  readonly processor: string
}

/** A vendor's archive (.tar.gz) with the program inside. */
export interface Release {
  readonly url: string
  readonly member: string
  /** SHA-256 by archive name, written down here: a changed archive is refused. */
  readonly sha256?: string | undefined
  /** Where the vendor lists the hashes, for an archive that has none here. */
  readonly sumsUrl?: string
}

/** Redis 6.2 or its fork Valkey. Debian's redis-check-rdb is the same program as redis-server. */
export const REDIS: Tool = {
  name: 'redis-server',
  programs: [
    { file: 'redis-server' },
    { file: 'valkey-server' },
    { file: 'redis-check-rdb', argv0: 'redis-server' },
  ],
  minimum: [6, 2, 0],
  versionIn: (answer) => readVersion(/v=\S+/.exec(answer)?.[0] ?? ''),
}

/** Postgres with initdb beside it. */
export const POSTGRES: Tool = {
  name: 'postgres',
  programs: [{ file: 'postgres' }],
  minimum: [18, 0, 0],
  versionIn: readVersion,
}

/** 2.10 is the first with several filter subjects on one consumer. */
export const NATS: GoTool = {
  name: 'nats-server',
  programs: [{ file: 'nats-server' }],
  minimum: [2, 10, 0],
  versionIn: readVersion,
  module: 'github.com/nats-io/nats-server/v2',
  goPackage: 'github.com/nats-io/nats-server/v2',
  buildTakes: 'up to 2 minutes on two cores',
  release: ({ version, system, processor }) => {
    const folder = `nats-server-v${version}-${system}-${processor}`
    const base = `https://github.com/nats-io/nats-server/releases/download/v${version}`
    return {
      url: `${base}/${folder}.tar.gz`,
      member: `${folder}/nats-server`,
      sumsUrl: `${base}/SHA256SUMS`,
    }
  },
}

const TEMPORAL_SHA256: Readonly<Record<string, string>> = {
  'temporal_cli_1.8.2_linux_amd64.tar.gz':
    'd8421bda989e6514b4bdb4d63a9012a8a05a806892e881a5aad8510496349a94',
  'temporal_cli_1.8.2_linux_arm64.tar.gz':
    '83600a8fac6e3da54093e5da6918d399f501532b9f1172235603f9606f4ac6e4',
  'temporal_cli_1.8.2_darwin_arm64.tar.gz':
    'dacdc3587682c04cf27e67c8878ca2d755230b6ad63c0c6ebddd7348ae90ed94',
}

/** The version that counts is the server's inside the CLI: `(Server 1.31.2, UI 2.50.1)`. */
export const TEMPORAL: GoTool = {
  name: 'temporal',
  programs: [{ file: 'temporal' }],
  minimum: [1, 31, 0],
  versionIn: (answer) => readVersion(/Server \S+/.exec(answer)?.[0] ?? ''),
  module: 'github.com/temporalio/cli',
  goPackage: 'github.com/temporalio/cli/cmd/temporal',
  buildTakes: 'up to 6 minutes on two cores',
  release: ({ version, system, processor }) => {
    const archive = `temporal_cli_${version}_${system}_${processor}.tar.gz`
    const base = `https://github.com/temporalio/cli/releases/download/v${version}`
    return {
      url: `${base}/${archive}`,
      member: 'temporal',
      sha256: TEMPORAL_SHA256[archive],
      sumsUrl: `${base}/checksums.txt`,
    }
  },
}

const TOXIPROXY_SHA256: Readonly<Record<string, string>> = {
  'toxiproxy_2.5.0_linux_amd64.tar.gz':
    '2dcc53a7cd5e1cab3514bba3002cdc9626abd7e42cdf4a070242e3d977dcbeca',
  'toxiproxy_2.5.0_linux_arm64.tar.gz':
    '63a33453dcdabab33c07bc234af164d2031f5418132ca15f949d0ede9a3a6f98',
  'toxiproxy_2.5.0_darwin_arm64.tar.gz':
    'cdb4c70ae1fba9a3d400acd7c96ca017e24ecd3fbb5eb4675a6262803d986460',
}

/** The fault proxy of the tests. */
export const TOXIPROXY: GoTool = {
  name: 'toxiproxy-server',
  programs: [{ file: 'toxiproxy-server' }],
  minimum: [2, 5, 0],
  versionIn: readVersion,
  module: 'github.com/Shopify/toxiproxy/v2',
  goPackage: 'github.com/Shopify/toxiproxy/v2/cmd/server',
  buildTakes: 'about 30 s',
  release: ({ version, system, processor }) => {
    const archive = `toxiproxy_${version}_${system}_${processor}.tar.gz`
    const base = `https://github.com/Shopify/toxiproxy/releases/download/v${version}`
    return {
      url: `${base}/${archive}`,
      member: 'toxiproxy-server',
      sha256: TOXIPROXY_SHA256[archive],
      sumsUrl: `${base}/checksums.txt`,
    }
  },
}

/** The module whose go.mod and go.sum say which versions are built. */
export const TOOLS_FOLDER = path.resolve(import.meta.dirname, '../../../deploy/tools')

/** The version of a module in the text of a go.mod, without its `v`; undefined when absent. */
export function moduleVersion(goMod: string, module: string): string | undefined {
  for (const line of goMod.split('\n')) {
    const [name, version] = line.trim().split(/\s+/)
    if (name === module && version?.startsWith('v')) return version.slice(1)
  }
  return undefined
}

/** The version of the tool that `deploy/tools/go.mod` asks for, such as `1.8.2`. */
export function wantedVersion(tool: GoTool): string {
  const version = moduleVersion(
    readFileSync(path.join(TOOLS_FOLDER, 'go.mod'), 'utf8'),
    tool.module,
  )
  if (version === undefined)
    throw new SetupError(`deploy/tools/go.mod does not name ${tool.module}.`)
  return version
}
