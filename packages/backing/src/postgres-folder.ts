import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { MINUTE_MS } from '@holdfast/kernel'
import { flags } from './flags.ts'
import { processIdentity } from './identity.ts'
import { OPEN_FOLDER, type PostgresProgram } from './postgres-locate.ts'
import { type Report, withProgress } from './progress.ts'
import { lastLine, run } from './run.ts'
import { SetupError } from './setup-error.ts'
import { canReach, type User } from './user.ts'

/** A database cluster on disk, ready to be started. */
export interface PostgresFolder {
  readonly data: string
  readonly passwordFile: string
  /** Removes the lock of a Postgres that is gone but whose process id somebody else has now. */
  readonly clearStaleLock: () => Promise<void>
}

interface Preparing {
  readonly program: PostgresProgram
  readonly user: User | undefined
  readonly dataFolder: string
  readonly durable: boolean
  readonly report: Report
}

/** initdb takes a second on an idle machine and a minute on a drowning one. */
const INITDB_TIMEOUT_MS = 3 * MINUTE_MS

/** Makes the database cluster unless it is there; SetupError when another version made it. */
export async function preparePostgresFolder(options: Preparing): Promise<PostgresFolder> {
  const { program, user, report } = options
  const folder = await reachableFolder(options)
  const data = path.join(folder, 'data')
  const passwordFile = path.join(folder, 'superuser-password')
  const madeBy = await readFile(path.join(data, 'PG_VERSION'), 'utf8').catch(() => undefined)
  const major = program.version.split('.')[0]
  if (madeBy !== undefined && madeBy.trim() !== major) {
    throw new SetupError(
      `${data} was made by Postgres ${madeBy.trim()}, and this is ${major}. ` +
        'Choose another data folder, or remove this one if nothing in it matters.',
    )
  }
  if (madeBy === undefined) {
    const what = 'Making the Postgres data folder'
    await withProgress({ what, report }, () => initialise({ ...options, data, passwordFile }))
  }
  if (user !== undefined) await chown(data, user.uid, user.gid)
  return { data, passwordFile, clearStaleLock: () => clearStaleLock(data) }
}

/** `<dataFolder>/postgres`, or a folder outside when Postgres's user cannot get there. */
async function reachableFolder({ user, dataFolder, report }: Preparing): Promise<string> {
  const folder = path.join(dataFolder, 'postgres')
  await mkdir(folder, { recursive: true })
  if (user === undefined) return folder
  await chmod(folder, 0o755)
  if (await canReach(user, folder)) return folder
  const outside = await outsideFolder(folder)
  report(`Postgres keeps its data in ${outside}: user ${user.name} may not enter ${dataFolder}`)
  await mkdir(outside, { recursive: true, mode: 0o755 })
  return outside
}

/** Written down in the data folder, so that who removes that one starts anew. */
async function outsideFolder(folder: string): Promise<string> {
  const file = path.join(folder, 'outside')
  const known = await readFile(file, 'utf8').catch(() => '')
  if (known.trim() !== '') return known.trim()
  const outside = path.join(OPEN_FOLDER, `data-${randomBytes(8).toString('hex')}`)
  await writeFile(file, `${outside}\n`)
  return outside
}

async function initialise(
  options: Preparing & { readonly data: string; readonly passwordFile: string },
): Promise<void> {
  const { program, user, data, passwordFile, durable } = options
  const password = await ensurePassword(passwordFile)
  // Renamed at the end: an initdb that is cut off leaves nothing that looks whole.
  const partial = `${data}.new`
  const handedPassword = `${data}.password`
  await rm(partial, { recursive: true, force: true })
  await mkdir(partial, { mode: 0o700 })
  await writeFile(handedPassword, `${password}\n`, { mode: 0o600 })
  try {
    if (user !== undefined) {
      await chown(partial, user.uid, user.gid)
      await chown(handedPassword, user.uid, user.gid)
    }
    const { exitCode, output } = await run({
      command: path.join(program.binFolder, 'initdb'),
      args: initdbArguments({ data: partial, passwordFile: handedPassword, durable }),
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      cwd: '/',
      user,
      timeoutMs: INITDB_TIMEOUT_MS,
    })
    if (exitCode !== 0) {
      throw new SetupError(`Making the Postgres data folder failed: ${initdbComplaint(output)}`)
    }
    await rename(partial, data)
  } finally {
    await rm(handedPassword, { force: true })
    await rm(partial, { recursive: true, force: true })
  }
}

function initdbArguments(options: {
  readonly data: string
  readonly passwordFile: string
  readonly durable: boolean
}): string[] {
  return [
    '--no-instructions',
    ...(options.durable ? [] : ['--no-sync']),
    ...flags({
      '--pgdata': options.data,
      '--username': 'postgres',
      '--pwfile': options.passwordFile,
      '--auth': 'scram-sha-256',
      '--encoding': 'UTF8',
      // The built-in locale sorts alike on every machine.
      '--locale': 'C',
      '--locale-provider': 'builtin',
      '--builtin-locale': 'C.UTF-8',
    }),
  ]
}

/** initdb's last line says that it cleaned up; the one that names the cause says error. */
function initdbComplaint(output: string): string {
  const lines = output.split('\n')
  return lines.find((line) => /error|FATAL|could not/.test(line)) ?? lastLine(output)
}

/** The password of the superuser, made at the first call. */
async function ensurePassword(file: string): Promise<string> {
  const existing = await readFile(file, 'utf8').catch(() => '')
  if (existing.trim() !== '') return existing.trim()
  const password = randomBytes(24).toString('base64url')
  await writeFile(file, `${password}\n`, { mode: 0o600 })
  return password
}

async function clearStaleLock(data: string): Promise<void> {
  const lockFile = path.join(data, 'postmaster.pid')
  const lock = await readFile(lockFile, 'utf8').catch(() => undefined)
  if (lock === undefined) return
  const pid = Number(lock.split('\n')[0])
  if (processIdentity(pid) === undefined || (await isPostgres(pid))) return
  await rm(lockFile, { force: true })
}

/** Unknown counts as Postgres: then Postgres itself decides about its lock. */
async function isPostgres(pid: number): Promise<boolean> {
  if (process.platform !== 'linux') return true
  const command = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'postgres')
  return command.trim() === 'postgres'
}
