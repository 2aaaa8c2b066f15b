import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { z } from 'zod'
import {
  BadConfiguration,
  addressListSetting,
  addressSetting,
  durationMsSetting,
  jsonFileSetting,
  readEnvironment,
  secretFileSetting,
  urlSetting,
} from './env.ts'
import { databaseSettings, secretBytesFileSetting } from './settings.ts'

const PREFIX = 'HOLDFAST_CART_'
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-env-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

function file(name: string, content: string): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function read<Shape extends z.ZodRawShape>(
  shape: Shape,
  environment: Record<string, string | undefined>,
) {
  return readEnvironment({ prefix: PREFIX, environment, shape })
}

/** The problems that stop the start. */
function problemsOf(shape: z.ZodRawShape, environment: Record<string, string>): readonly string[] {
  try {
    read(shape, environment)
  } catch (error) {
    if (error instanceof BadConfiguration) return error.problems
    throw error
  }
  return []
}

test('everything that is wrong is told at once, each with the name as it is set', () => {
  const shape = {
    LISTEN: addressSetting,
    WAIT_MS: durationMsSetting({ min: 1, max: 9, fallback: 3 }),
  }
  const problems = problemsOf(shape, {
    HOLDFAST_CART_LISTEN: 'nowhere',
    HOLDFAST_CART_WAIT_MS: '10',
    HOLDFAST_CART_LISTN: 'x',
    HOLDFAST_SELLER_LISTN: 'not ours',
    PATH: '/bin',
  })
  expect(problems).toHaveLength(3)
  for (const name of ['LISTN is not a setting', 'LISTEN: must be host:port', 'WAIT_MS: ']) {
    expect(problems.join('\n')).toContain(`HOLDFAST_CART_${name}`)
  }
})

test('a name of the language itself is no setting', () => {
  for (const name of ['constructor', '__proto__', 'toString']) {
    expect(problemsOf({}, { [`${PREFIX}${name}`]: 'x' })).toHaveLength(1)
  }
})

test('a missing value is told as required, and a default stands in only for a missing one', () => {
  expect(problemsOf({ LISTEN: addressSetting }, {})[0]).toContain('LISTEN: is required')
  const shape = { WAIT_MS: durationMsSetting({ min: 0, max: 9, fallback: 3 }) }
  expect(read(shape, {})).toEqual({ WAIT_MS: 3 })
  expect(read(shape, { HOLDFAST_CART_WAIT_MS: undefined })).toEqual({ WAIT_MS: 3 })
  expect(problemsOf(shape, { HOLDFAST_CART_WAIT_MS: '' })).toHaveLength(1)
})

test.each(['1e3', '0x10', ' 5', '5 ', '1.5', 'NaN', 'Infinity', '-1', '٣', '', 'true'])(
  'a duration of %j is refused',
  (text) => {
    const shape = { WAIT_MS: durationMsSetting({ min: 0, max: 10_000, fallback: 3 }) }
    expect(problemsOf(shape, { HOLDFAST_CART_WAIT_MS: text })).toHaveLength(1)
  },
)

test.each([
  ['127.0.0.1:0', true],
  ['cart.internal:65535', true],
  ['cart:65536', false],
  ['cart:99999', false],
  ['cart', false],
  [':80', false],
  ['a b:80', false],
  ['http://cart:80', false],
])('address %j is taken: %s', (text, isTaken) => {
  const problems = problemsOf({ LISTEN: addressSetting }, { HOLDFAST_CART_LISTEN: text })
  expect(problems.length === 0).toBe(isTaken)
})

test.each(['', 'a:1,', ',a:1', 'a:1, b:2', 'a:1,b', 'a:1,b:70000'])(
  'a list of addresses with anything else in it is refused: %j',
  (text) => {
    expect(problemsOf({ PEERS: addressListSetting }, { HOLDFAST_CART_PEERS: text })).toHaveLength(1)
  },
)

test('a list of addresses keeps its order', () => {
  const shape = { PEERS: addressListSetting }
  expect(read(shape, { HOLDFAST_CART_PEERS: 'b:2,a:1' })).toEqual({ PEERS: ['b:2', 'a:1'] })
})

test('a URL of another protocol is refused without repeating what may hold a password', () => {
  const shape = { DATABASE_URL: urlSetting('postgres:') }
  const problems = problemsOf(shape, { HOLDFAST_CART_DATABASE_URL: 'mysql://u:hunter2@h/d' })
  expect(problems[0]).toContain('must be a postgres: URL')
  expect(problems[0]).not.toContain('hunter2')
})

test('secrets are read from files, and a bad file is told by its path, never its content', () => {
  const shape = { KEY_FILE: secretFileSetting }
  const at = (path: string) => ({ HOLDFAST_CART_KEY_FILE: path })
  expect(read(shape, at(file('good', ' secret\n')))).toEqual({ KEY_FILE: 'secret' })
  expect(problemsOf(shape, at(file('empty', ' \n')))[0]).toContain('names an empty file')
  expect(problemsOf(shape, at(join(folder, 'none')))[0]).toContain('cannot be read')
  expect(problemsOf(shape, at(folder))[0]).toContain('cannot be read')
  const json = { KEY_FILE: jsonFileSetting }
  expect(read(json, at(file('json', '{"a":1}')))).toEqual({ KEY_FILE: { a: 1 } })
  const [problem] = problemsOf(json, at(file('bad.json', 'hunter2')))
  expect(problem).toContain('not JSON')
  expect(problem).not.toContain('hunter2')
  const bytes = { KEY_FILE: secretBytesFileSetting }
  const enough = Buffer.alloc(32, 7).toString('base64')
  expect(read(bytes, at(file('bytes', enough)))).toEqual({ KEY_FILE: new Uint8Array(32).fill(7) })
  expect(problemsOf(bytes, at(file('few', 'AAAA')))[0]).toContain('fewer than 32 bytes')
})

test('a pool cannot be asked for with zero or a thousand connections', () => {
  const shape = { DATABASE_CONNECTIONS_MAX: databaseSettings.DATABASE_CONNECTIONS_MAX }
  for (const text of ['0', '1000', '']) {
    expect(problemsOf(shape, { HOLDFAST_CART_DATABASE_CONNECTIONS_MAX: text })).toHaveLength(1)
  }
  expect(read(shape, {})).toEqual({ DATABASE_CONNECTIONS_MAX: 8 })
})
