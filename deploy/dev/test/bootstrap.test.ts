import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { expect, test } from 'vitest'

const ROOT = path.resolve(import.meta.dirname, '../../..')

test('a suite started as a person starts it ends by itself, with its verdict last', async () => {
  const child = spawn('node', ['deploy/dev/bootstrap.mjs', 'test', 'unit', 'packages/kernel'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code] = (await once(child, 'close')) as unknown[]
  expect({ code, output }).toMatchObject({ code: 0 })
  expect(output.trimEnd().split('\n').at(-1)).toMatch(/^\d+ passed, 0 failed$/)
})
