import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { SetupError } from './setup-error.ts'

/** An account of this machine. */
export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** What a path's owner and mode bits say. */
export interface Permissions {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

/** Who runs Postgres when root starts it, the first that exists. `nobody` is on every system. */
const UNPRIVILEGED_NAMES = ['postgres', 'nobody']

/**
 * The account a server that refuses root runs as: undefined when this process is not root itself.
 * SetupError when root's machine has no such account.
 */
export async function unprivilegedUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const users = parsePasswd(await readFile('/etc/passwd', 'utf8'))
  for (const name of UNPRIVILEGED_NAMES) {
    const user = users.get(name)
    if (user !== undefined) return user
  }
  throw new SetupError(
    'Postgres refuses to run as root, and there is no user "postgres" to run as.',
  )
}

/** The accounts in the text of /etc/passwd by name; malformed lines are left out. */
export function parsePasswd(text: string): Map<string, User> {
  const users = new Map<string, User>()
  for (const line of text.split('\n')) {
    const [name, , uid, gid] = line.split(':')
    if (name === undefined || !/^\d+$/.test(uid ?? '') || !/^\d+$/.test(gid ?? '')) continue
    users.set(name, { name, uid: Number(uid), gid: Number(gid) })
  }
  return users
}

/** True when the mode bits let `user` search the folder (or run the file). */
export function maySearch(user: User, permissions: Permissions): boolean {
  const shift = permissions.uid === user.uid ? 6 : permissions.gid === user.gid ? 3 : 0
  return ((permissions.mode >> shift) & 1) === 1
}

/** True when `user` may search the folder and every folder above it. False when it is missing. */
export async function canReach(user: User, folder: string): Promise<boolean> {
  let current = path.resolve(folder)
  while (true) {
    const permissions = await stat(current).catch(() => undefined)
    if (permissions === undefined || !maySearch(user, permissions)) return false
    const parent = path.dirname(current)
    if (parent === current) return true
    current = parent
  }
}
