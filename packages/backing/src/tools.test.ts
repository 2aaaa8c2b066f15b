import { expect, test } from 'vitest'
import { hashIn } from './download.ts'
import { moduleVersion, NATS, TEMPORAL, TOXIPROXY, wantedVersion } from './tools.ts'

const GO_MOD = `module tools

tool github.com/nats-io/nats-server/v2

require (
\tgithub.com/nats-io/nats-server/v2 v2.15.2 // indirect
\tgithub.com/nats-io/nats-server/v2/extra v9.9.9 // indirect
)
`

test('a version is read from the requirement, not from the list of tools', () => {
  expect(moduleVersion(GO_MOD, 'github.com/nats-io/nats-server/v2')).toBe('2.15.2')
  expect(moduleVersion(GO_MOD, 'github.com/nats-io/nats-server')).toBeUndefined()
})

test('every Go tool has a version in deploy/tools that its minimum allows', () => {
  for (const tool of [NATS, TEMPORAL, TOXIPROXY]) {
    expect(wantedVersion(tool)).toMatch(/^\d+\.\d+\.\d+$/)
  }
})

test('the hashes written down belong to the version that is built', () => {
  for (const tool of [TEMPORAL, TOXIPROXY]) {
    const version = wantedVersion(tool)
    const { sha256 } = tool.release({ version, system: 'linux', processor: 'amd64' })
    expect(sha256).toMatch(/^[0-9a-f]{64}$/)
  }
})

test('a hash is found by the whole name of its file', () => {
  const hash = 'a'.repeat(64)
  const sums = `${'b'.repeat(64)}  server.tar.gz.sig\n${hash} *server.tar.gz\n`
  expect(hashIn(sums, 'server.tar.gz')).toBe(hash)
  expect(hashIn(sums, 'server')).toBeUndefined()
})
