import { fileURLToPath } from 'node:url'
import { readdirSync, readFileSync } from 'node:fs'
import type { ServiceName } from '@holdfast/rpc'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { callRows } from './call-rows.ts'
import { isTenant, refusedBy, strangersOf } from './callers.ts'
import { countTable, rowTable } from './count-table.ts'
import { ENDED } from './ended.ts'
import { problemWithEnded } from './ended-row.ts'
import { CARD, fieldRows } from './field-rows.ts'
import { identityRows, type WrongTokens, wrongTokens } from './identity-rows.ts'
import type { RowLeftOut } from './row.ts'
import { type RowResult, sendRows } from './send-rows.ts'
import { shapesOf } from './shapes.ts'
import { type Marketplace, startMarketplace } from './marketplace.ts'
import { RPCS, type RpcUnderWalk } from './services.ts'
import type { Target } from './target.ts'
import { type Cell, problemOf, walkRpc } from './walk.ts'
import { namedBy } from './witness.ts'
import { createWorld, type World } from './world.ts'

/** Fourteen processes, two sellers, and a machine that may be busy. */
const START_TIMEOUT_MS = 300_000

let marketplace: Marketplace
let world: World
const targets = new Map<ServiceName, Target>()
const cells = new Map<ServiceName, Cell[]>()
const tokens = new Map<ServiceName, WrongTokens>()
const results: RowResult[] = []
const leftOut: RowLeftOut[] = []

beforeAll(async () => {
  marketplace = await startMarketplace()
  world = await createWorld(marketplace)
}, START_TIMEOUT_MS)

afterAll(async () => {
  process.stdout.write(`${countTable(cells)}\n${rowTable(results, leftOut)}\n`)
  await world?.[Symbol.asyncDispose]()
  await marketplace?.[Symbol.asyncDispose]()
})

async function targetOf(service: ServiceName): Promise<Target> {
  const target = targets.get(service) ?? (await world.target(service))
  targets.set(service, target)
  return target
}

/** The same random bytes for an RPC in every run. */
function seedOf(path: string): number {
  return Array.from(path).reduce((seed, letter) => seed * 31 + letter.charCodeAt(0), 7) >>> 0
}

async function walk(rpc: RpcUnderWalk): Promise<readonly Cell[]> {
  const walked = await walkRpc({
    ...rpc,
    world,
    target: await targetOf(rpc.service),
    refusedCallers: refusedBy(rpc.row),
    strangers: strangersOf(rpc.row),
    isTenant: isTenant(rpc.sample.caller),
    foreignId: (kind) => world.foreignId(kind),
    seed: seedOf(rpc.path),
  })
  cells.set(rpc.service, [...(cells.get(rpc.service) ?? []), ...walked])
  return walked
}

describe.each(Object.entries(Object.groupBy(RPCS, (rpc) => rpc.service)))('%s', (_name, rpcs) => {
  test.each(rpcs.map((rpc) => [rpc.name, rpc] as const))(
    'I6, I17: %s refuses every wrong call without an effect',
    async (_rpcName, rpc) => {
      const walked = await walk(rpc)
      expect(walked.flatMap((cell) => problemOf(cell) ?? [])).toEqual([])
      expect(walked.length).toBeGreaterThan(0)
    },
  )
})

async function wrongRows(rpc: RpcUnderWalk): Promise<readonly RowResult[]> {
  const target = await targetOf(rpc.service)
  const prepared = await rpc.sample.prepare(world)
  const valid = rpc.method.requestType.encode(prepared.request).finish()
  const own = prepared.bearer ?? (await target.tokenFor(rpc.sample.caller))
  const bearer = own === '' ? undefined : own
  const ignoresToken = rpc.row.ignoresToken === true
  const isOpen = ignoresToken || rpc.row.allow.includes('anonymous')
  const { requestBytesMax } = rpc.row
  const about = { rpc: rpc.name, path: rpc.path, valid, bearer, requestBytesMax, isOpen }
  const fields = fieldRows({ ...about, shapes: shapesOf(rpc.path) })
  const identity = ignoresToken ? [] : identityRows(await tokensFor(rpc.service), valid)
  const rows = [...fields.rows, ...callRows(about), ...identity]
  const isStream = rpc.method.responseStream
  const named = namedBy(prepared.request, bearer)
  const sent = await sendRows(target, { path: rpc.path, rows, isStream, named })
  results.push(...sent)
  leftOut.push(...fields.left)
  return sent
}

async function tokensFor(service: ServiceName): Promise<WrongTokens> {
  const made = tokens.get(service) ?? (await wrongTokens(marketplace, service))
  tokens.set(service, made)
  return made
}

describe.each(Object.entries(Object.groupBy(RPCS, (rpc) => rpc.service)))(
  'wrong input to %s',
  (_name, rpcs) => {
    test.each(rpcs.map((rpc) => [rpc.name, rpc] as const))(
      'I8, I23: %s refuses every wrong value, form and proof without an effect',
      async (_rpcName, rpc) => {
        const sent = await wrongRows(rpc)
        const problems = sent.filter((one) => one.problem !== undefined)
        expect(problems.map(({ name, problem }) => `${name}: ${problem}`)).toEqual([])
        expect(sent.length).toBeGreaterThan(0)
      },
    )
  },
)

const ENDING = RPCS.flatMap((rpc) => {
  const ended = ENDED[rpc.name]
  return ended !== undefined && 'end' in ended ? [[rpc.name, { ...rpc, ...ended }] as const] : []
})

test.each(ENDING)(
  'I8, I10: %s refuses what is at its end by its state, without an effect',
  async (_rpcName, rpc) => {
    const target = await targetOf(rpc.service)
    const prepared = await rpc.sample.prepare(world)
    const bearer = prepared.bearer ?? (await target.tokenFor(rpc.sample.caller))
    const then = await rpc.end(world, prepared.request as never, bearer)
    const request = then ?? prepared.request
    expect(await problemWithEnded(target, { ...rpc, request, bearer })).toBeUndefined()
  },
)

test('I23: no log holds a card number of the rows', () => {
  const folder = marketplace.logsFolder
  const files = readdirSync(folder, { withFileTypes: true }).filter((one) => one.isFile())
  expect(files.length).toBeGreaterThan(0)
  const telling = files.filter(({ name }) => {
    const text = readFileSync(`${folder}/${name}`, 'utf8')
    return Object.values(CARD).some((number) => text.includes(number))
  })
  expect(telling.map(({ name }) => name)).toEqual([])
})

test('every process is the one that was started', () => {
  expect(world.crashes()).toEqual([])
})

test('every RPC of the contract is walked', () => {
  const folder = new URL('../../proto/holdfast/', import.meta.url)
  const walked = new Set(RPCS.map((rpc) => rpc.path))
  for (const service of new Set(RPCS.map((rpc) => rpc.service))) {
    const file = fileURLToPath(new URL(`${service}/v1/${service}_service.proto`, folder))
    const text = readFileSync(file, 'utf8')
    const name = /^service (\w+)/m.exec(text)?.[1] ?? ''
    const rpcs = Array.from(text.matchAll(/^\s+rpc (\w+)\(/gm), (match) => match[1])
    const paths = rpcs.map((rpc) => `/holdfast.${service}.v1.${name}/${rpc}`)
    expect(paths.filter((path) => !walked.has(path))).toEqual([])
  }
})
