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

test('a Node that is too old is told what is wanted, in one line', async () => {
  const old = "{ value: { ...process.versions, node: '16.20.2' } }"
  const faked = encodeURIComponent(`Object.defineProperty(process, 'versions', ${old})`)
  const child = spawn('node', ['deploy/dev/bootstrap.mjs', 'check'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${faked}` },
  })
  const output = child.stdout.toArray()
  const errors = child.stderr.toArray()
  const [code] = (await once(child, 'close')) as unknown[]
  expect({ code, output: Buffer.concat(await output).toString() }).toEqual({ code: 1, output: '' })
  expect(Buffer.concat(await errors).toString()).toBe(
    'Node 16.20.2 is too old: install Node 18 or newer.\n',
  )
})
