import { readFileSync, rmSync, statSync } from 'node:fs'
import { makeTemporaryFolder } from '@holdfast/backing'
import { parsePrivateJwk, parsePrivateKeySet, parsePublicKeySet } from '@holdfast/rpc'
import { expect, test } from 'vitest'
import { SERVICES } from './processes.ts'
import { prepareSecrets } from './secrets.ts'

function json(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'))
}

test('keys are of the form the services read, and peers know each other', () => {
  const folder = makeTemporaryFolder()
  try {
    const secrets = prepareSecrets(folder.path)
    const peers = parsePublicKeySet(json(secrets.peerKeys))
    const own = SERVICES.map((service) => parsePrivateJwk(json(secrets.serviceKey(service))))
    expect(peers.keys.map(({ kid, x }) => ({ kid, x }))).toEqual(
      own.map(({ kid, x }) => ({ kid, x })),
    )
    expect(own.map(({ kid }) => kid)).toEqual(SERVICES.map((service) => `${service}.1`))
    expect(parsePrivateKeySet(json(secrets.signingKeys))).toHaveLength(1)
  } finally {
    folder.remove()
  }
})

test('secrets are for their owner alone', () => {
  const folder = makeTemporaryFolder()
  try {
    const secrets = prepareSecrets(folder.path)
    expect(statSync(secrets.folder).mode & 0o777).toBe(0o700)
    for (const file of [secrets.signingKeys, secrets.databasePassword('cart', 'app')]) {
      expect(statSync(file).mode & 0o777).toBe(0o600)
    }
  } finally {
    folder.remove()
  }
})

test('a second start keeps every secret and makes only what is missing', () => {
  const folder = makeTemporaryFolder()
  try {
    const first = prepareSecrets(folder.path)
    const before = readFileSync(first.signingKeys, 'utf8')
    expect(prepareSecrets(folder.path).made).toBe(0)
    rmSync(first.webhookSecret)
    const third = prepareSecrets(folder.path)
    expect(third.made).toBe(1)
    expect(readFileSync(third.signingKeys, 'utf8')).toBe(before)
  } finally {
    folder.remove()
  }
})
