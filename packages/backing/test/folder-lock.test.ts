import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { lockFolder } from '../src/folder-lock.ts'
import { processIdentity } from '../src/identity.ts'
import { makeTemporaryFolder } from '../src/temporary-folder.ts'

test('a folder is locked once at a time, and the holder is named', () => {
  const folder = makeTemporaryFolder()
  try {
    const lock = lockFolder(folder.path)
    expect(() => lockFolder(folder.path)).toThrow(`Process ${process.pid} already serves from`)
    lock.release()
    lock.release()
    lockFolder(folder.path).release()
  } finally {
    folder.remove()
  }
})

test('the lock of a process that died is taken over, a torn one too', async () => {
  const folder = makeTemporaryFolder()
  try {
    const dead = spawn('sleep', ['600'], { stdio: 'ignore' })
    const identity = processIdentity(dead.pid ?? 0)
    const lockFile = path.join(folder.path, 'lock')
    writeFileSync(lockFile, JSON.stringify({ pid: dead.pid, identity }))
    expect(() => lockFolder(folder.path)).toThrow(`Process ${dead.pid} already serves from`)
    dead.kill('SIGKILL')
    await once(dead, 'exit')
    lockFolder(folder.path).release()
    writeFileSync(lockFile, '{"pid":')
    lockFolder(folder.path).release()
  } finally {
    folder.remove()
  }
})
