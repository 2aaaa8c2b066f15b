import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { SetupError } from '@holdfast/backing'

/** What stands in the way of writing, by the system's code. */
const OBSTACLES: Readonly<Record<string, string>> = {
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'its disk is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: 'your share of its disk is used up',
  ENOENT: 'no folder can be made there',
  ENOTDIR: 'part of its path is a file',
  EEXIST: 'there is a file of this name',
}

/**
 * Makes the folder with those above it and proves that it can be written to. Idempotent; SetupError
 * with one readable line when it cannot.
 */
export function makeDataFolder(folder: string): void {
  try {
    makeEach(folder)
    const probe = path.join(folder, `probe.${process.pid}`)
    writeFileSync(probe, '')
    rmSync(probe)
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException
    throw new SetupError(
      `${folder} cannot be used: ${OBSTACLES[code] ?? message}. Choose another folder with --data.`,
      { cause },
    )
  }
}

/** One by one: Node's own `recursive` never returns on a file system that makes no folders. */
function makeEach(folder: string): void {
  const missing: string[] = []
  let above = folder
  for (; !exists(above); above = path.dirname(above)) missing.unshift(above)
  for (const one of missing) makeOne(one)
  if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: 'EEXIST' })
}

function exists(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false }) !== undefined
}

/** A folder that somebody else made meanwhile is as good. */
function makeOne(folder: string): void {
  try {
    mkdirSync(folder)
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code !== 'EEXIST') throw failure
  }
}
