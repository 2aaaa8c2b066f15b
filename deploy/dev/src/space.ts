import { statfsSync } from 'node:fs'
import { SetupError } from '@holdfast/backing'

/** A first start writes about 200 MB: database clusters, streams, Temporal's file, logs. */
const FREE_BYTES_MIN = 1024 ** 3

/** Passes when the folder's disk has 1 GB free, else SetupError. */
export function requireSpace(folder: string): void {
  const { bavail, bsize } = statfsSync(folder)
  const free = bavail * bsize
  if (free >= FREE_BYTES_MIN) return
  throw new SetupError(
    `The disk of ${folder} has only ${Math.floor(free / 1024 ** 2)} MB free, and 1024 MB are ` +
      'needed. Free some space, or choose another folder with --data.',
  )
}
