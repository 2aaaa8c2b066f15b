import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { makeTemporaryFolder } from '@holdfast/backing'
import { expect, onTestFinished, test } from 'vitest'

const COMPILER = path.join(import.meta.dirname, '../src/main-bundle.ts')

test('workflows that import what no sandbox has are refused by its name', async () => {
  const folder = makeTemporaryFolder()
  onTestFinished(() => folder.remove())
  const workflows = path.join(folder.path, 'workflows.js')
  await writeFile(workflows, "const { readFile } = require('node:fs')\nexports.run = readFile\n")
  const child = fork(COMPILER, [workflows], { execArgv: [] })
  const ended = once(child, 'exit')
  const [answer] = (await once(child, 'message')) as unknown[]
  expect(answer).toHaveProperty('kind', 'failed')
  expect(answer).toHaveProperty('message', expect.stringContaining('node:fs'))
  expect(await ended).toEqual([0, null])
})
