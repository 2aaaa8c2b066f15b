import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const CHILD = fileURLToPath(new URL('./log-process.ts', import.meta.url))

/** What a process whose log goes to this file says on standard error, and how it ends. */
async function runWithLogOn(path: string) {
  const file = openSync(path, 'w')
  const child = spawn(process.execPath, [CHILD], { stdio: ['ignore', file, 'pipe'] })
  closeSync(file)
  let errors = ''
  child.stderr?.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve)
  })
  return { code, errors }
}

/** A disk with room, and the device on which every write fails with ENOSPC, which Linux has. */
const DISKS = ['/dev/null', ...(process.platform === 'linux' ? ['/dev/full'] : [])]

test.each(DISKS)('a log on %s may lose lines, never the process', async (disk) => {
  expect(await runWithLogOn(disk)).toEqual({ code: 0, errors: 'alive\n' })
})
