import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { isSameProcess, processIdentity } from './identity.ts'
import { SetupError } from './setup-error.ts'

/** Proof that this process alone works with a data folder. */
export interface FolderLock {
  /** Idempotent. */
  release(): void
}

/** Bound on take-overs: two starts may remove the same stale lock, a third look decides. */
const TRIES_MAX = 3

/**
 * Locks the folder for this process, for as long as it lives. SetupError naming the other process
 * when one that lives holds it; the lock of one that died is taken over.
 */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true })
  const file = path.join(folder, 'lock')
  const own = `${file}.${process.pid}`
  const identity = processIdentity(process.pid) ?? ''
  writeFileSync(own, JSON.stringify({ pid: process.pid, identity }))
  try {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      if (tryLink(own, file)) return { release: () => release(file) }
      const holder = readHolder(file)
      if (holder !== undefined && isSameProcess(holder.pid, holder.identity)) {
        throw new SetupError(
          `Process ${holder.pid} already serves from ${folder}. ` +
            'End it first, or choose another folder with --data.',
        )
      }
      rmSync(file, { force: true })
    }
  } finally {
    rmSync(own, { force: true })
  }
  throw new SetupError(`${file} cannot be taken; another start is doing the same. Try again.`)
}

/** A hard link appears whole or not at all, and fails when the name is taken. */
function tryLink(own: string, file: string): boolean {
  try {
    linkSync(own, file)
    return true
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw failure
  }
}

function release(file: string): void {
  if (readHolder(file)?.pid === process.pid) rmSync(file, { force: true })
}

function readHolder(file: string): { pid: number; identity: string } | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (typeof value !== 'object' || value === null) return undefined
    const { pid, identity } = value as Partial<Record<string, unknown>>
    if (typeof pid !== 'number' || typeof identity !== 'string') return undefined
    return { pid, identity }
  } catch {
    return undefined
  }
}
