import { defineConfig } from 'vitest/config'

const SECOND_MS = 1_000

/** Generous, since a busy machine is slow and a hung test must still end. */
const UNIT_TIMEOUT_MS = 30 * SECOND_MS
const REAL_SERVERS_TIMEOUT_MS = 120 * SECOND_MS

/** The servers behind these suites are started once per run by this module of the testkit. */
const BACKING_SETUP = './packages/testkit/src/backing-setup.ts'

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

export default defineConfig({
  test: {
    projects: [
      suite(
        'unit',
        ['{packages,services}/*/src/**/*.test.ts', 'deploy/dev/src/**/*.test.ts'],
        false,
      ),
      suite('tidy', ['test/tidy/**/*.test.ts'], false),
      suite(
        'integration',
        ['{packages,services}/*/test/**/*.test.ts', 'deploy/dev/test/**/*.test.ts'],
        true,
      ),
      suite('contract', ['test/contract/**/*.test.ts'], true),
      suite('replay', ['test/replay/**/*.test.ts'], false),
      suite('e2e', ['test/e2e/**/*.test.ts'], true),
    ],
  },
})
