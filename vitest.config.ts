import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { defineConfig } from 'vitest/config'

const SECOND_MS = 1_000

/** Generous, since a busy machine is slow and a hung test must still end. */
const UNIT_TIMEOUT_MS = 30 * SECOND_MS
const REAL_SERVERS_TIMEOUT_MS = 120 * SECOND_MS

/** The servers behind these suites are started once per run by this module of the testkit. */
const BACKING_SETUP = './packages/testkit/src/backing-setup.ts'

/** `--dir services/cart` narrows a run to one package; projects do not inherit the option. */
const { values } = parseArgs({ options: { dir: { type: 'string' } }, strict: false })
const folder = typeof values['dir'] === 'string' ? relative('.', values['dir']) : undefined
const homes = folder === undefined ? ['{packages,services}/*', 'deploy/dev'] : [folder]

function suite(name: string, include: readonly string[], realServers: boolean) {
  const timeoutMs = realServers ? REAL_SERVERS_TIMEOUT_MS : UNIT_TIMEOUT_MS
  return {
    test: {
      name,
      include: [...include],
      pool: 'forks' as const,
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      teardownTimeout: REAL_SERVERS_TIMEOUT_MS,
      globalSetup: realServers ? [BACKING_SETUP] : [],
      exclude: ['**/node_modules/**', '**/dist/**'],
    },
  }
}

/** A suite of its own folder in `test/`; left out when the run is narrowed to another one. */
function treeSuite(name: string, realServers: boolean) {
  const own = `test/${name}`
  const wanted = folder === undefined || own.startsWith(folder) || folder.startsWith(own)
  return suite(name, wanted ? [`${own}/**/*.test.ts`] : [], realServers)
}

function homeSuite(name: string, inside: string, realServers: boolean) {
  const patterns = homes.map((home) => `${home}/${inside}/**/*.test.ts`)
  const { test } = suite(name, folder?.startsWith('test') === true ? [] : patterns, realServers)
  // With real servers the limits of outages and leases are real: one file at a time.
  return { test: { ...test, fileParallelism: !realServers } }
}

/** One marketplace for the whole suite, and one file at a time, since some kill its processes. */
function e2eSuite() {
  const { test } = treeSuite('e2e', true)
  return { test: { ...test, globalSetup: ['./test/e2e/setup.ts'], fileParallelism: false } }
}

export default defineConfig({
  test: {
    projects: [
      homeSuite('unit', 'src', false),
      treeSuite('tidy', false),
      homeSuite('integration', 'test', true),
      treeSuite('contract', true),
      treeSuite('replay', false),
      treeSuite('load', false),
      treeSuite('chaos', false),
      treeSuite('mutants', false),
      e2eSuite(),
    ],
  },
})
