import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { SetupError } from '@holdfast/backing'
import { afterAll, expect, test } from 'vitest'
import { makeDataFolder } from './data-folder.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-data-folder-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('a data folder is made with those above it, and nothing is left in it', () => {
  const made = path.join(folder, 'a', 'b')
  makeDataFolder(made)
  makeDataFolder(made)
  expect(readdirSync(made)).toEqual([])
})

const file = path.join(folder, 'file')
writeFileSync(file, '')

const REFUSED: readonly (readonly [string, string | RegExp])[] = [
  [file, 'there is a file of this name'],
  [path.join(file, 'data'), 'part of its path is a file'],
  // No file system for data: making a folder there fails for everybody, root too.
  ...(existsSync('/proc/self') ? [['/proc/holdfast/data', /cannot be used: \w/] as const] : []),
]

test.each(REFUSED)('%s is refused as a data folder in one line that says why', (wanted, why) => {
  const make = () => makeDataFolder(wanted)
  expect(make).toThrow(SetupError)
  expect(make).toThrow(why)
  expect(make).toThrow(/^[^\n]+\. Choose another folder with --data\.$/)
})
