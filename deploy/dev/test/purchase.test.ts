import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { makeTemporaryFolder } from '@holdfast/backing'
import { afterAll, expect, test } from 'vitest'

const PROGRAM = path.resolve(import.meta.dirname, '../src/main-start.ts')

const folder = makeTemporaryFolder()

afterAll(() => {
  folder.remove()
})

async function runToTheEnd(): Promise<{ readonly code: unknown; readonly output: string }> {
  const flags = ['--exit', '--ports', 'auto', '--data', folder.path]
  const child = spawn(process.execPath, [PROGRAM, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (chunk: Buffer) => void (output += chunk.toString())
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const [code] = (await once(child, 'close')) as unknown[]
  return { code, output }
}

test('I1, I2, I4: the demo buys from two sellers, twice on one folder', async () => {
  for (const start of ['first', 'second']) {
    const { code, output } = await runToTheEnd()
    expect({ start, code, output }).toMatchObject({ code: 0 })
    expect(output).toContain('the order is PAID')
    expect(output.match(/^ {2}yes {2}/gm)).toHaveLength(5)
    expect(output).not.toMatch(/^ {2}NO /m)
  }
})
