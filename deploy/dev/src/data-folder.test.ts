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

test('a data folder that cannot be is refused in one line that says why', () => {
  const file = path.join(folder, 'file')
  writeFileSync(file, '')
  const refusal = (wanted: string): string => {
    try {
      makeDataFolder(wanted)
    } catch (failure) {
      expect(failure).toBeInstanceOf(SetupError)
      return (failure as SetupError).message
    }
    return 'none'
  }
  const advice = 'Choose another folder with --data.'
  expect(refusal(file)).toBe(`${file} cannot be used: there is a file of this name. ${advice}`)
  const below = path.join(file, 'data')
  expect(refusal(below)).toBe(`${below} cannot be used: part of its path is a file. ${advice}`)
  // No file system for data: making a folder there fails for everybody, root too.
  if (existsSync('/proc/self')) {
    expect(refusal('/proc/holdfast/data')).toMatch(
      /^\/proc\/holdfast\/data cannot be used: .+data\.$/,
    )
  }
})
