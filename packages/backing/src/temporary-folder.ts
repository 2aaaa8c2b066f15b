import {
  accessSync,
  chmodSync,
  constants,
  mkdtempSync,
  readdirSync,
  rmSync,
  statfsSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { processIdentity } from './identity.ts'

/** A folder that is gone after the test run. */
export interface TemporaryFolder {
  readonly path: string
  /** Removes it. Idempotent. */
  remove(): void
}

const MEMORY_FOLDER = '/dev/shm'
const PREFIX = 'holdfast-test-'

/** Six databases, their copies and the streams of a test run stay below it. */
const MEMORY_BYTES_MIN = 1024 ** 3

/**
 * Makes a folder for one test run: in memory (/dev/shm) where there is room and `onDisk` is not
 * asked for, else in the system's temporary folder. Folders of runs that died are removed on the
 * way. Open to other users, as Postgres may run as one.
 */
export function makeTemporaryFolder(options: { readonly onDisk?: boolean } = {}): TemporaryFolder {
  const parent = options.onDisk !== true && hasMemory() ? MEMORY_FOLDER : tmpdir()
  removeLeftBehind(parent)
  const folder = mkdtempSync(path.join(parent, `${PREFIX}${process.pid}-`))
  chmodSync(folder, 0o755)
  return {
    path: folder,
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}

function hasMemory(): boolean {
  try {
    accessSync(MEMORY_FOLDER, constants.W_OK)
    const { bavail, bsize } = statfsSync(MEMORY_FOLDER)
    return bavail * bsize >= MEMORY_BYTES_MIN
  } catch {
    return false
  }
}

function removeLeftBehind(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(/^holdfast-test-(\d+)-/.exec(name)?.[1] ?? Number.NaN)
    if (Number.isNaN(pid) || processIdentity(pid) !== undefined) continue
    try {
      rmSync(path.join(parent, name), { recursive: true, force: true })
    } catch {
      // Another user's, or its servers still write: the next run looks again.
    }
  }
}
