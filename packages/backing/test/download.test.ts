import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { systemClock } from '@holdfast/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { downloadRelease } from '../src/download.ts'
import type { Release } from '../src/tools.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../src/temporary-folder.ts'

let folder: TemporaryFolder
let server: Server
let base = ''
let sha256 = ''

beforeAll(async () => {
  folder = makeTemporaryFolder()
  mkdirSync(path.join(folder.path, 'release'))
  writeFileSync(path.join(folder.path, 'release', 'tool'), '#!/bin/sh\necho 1.2.3\n')
  spawnSync('tar', ['-czf', 'release.tar.gz', 'release/tool'], { cwd: folder.path })
  const archive = readFileSync(path.join(folder.path, 'release.tar.gz'))
  sha256 = createHash('sha256').update(archive).digest('hex')
  const answers: Record<string, Buffer> = {
    '/release.tar.gz': archive,
    '/sums': Buffer.from(`${sha256}  release.tar.gz\n`),
  }
  server = createServer((request, response) => {
    const answer = answers[request.url ?? '']
    response.writeHead(answer === undefined ? 404 : 200).end(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterAll(() => {
  server.close()
  folder.remove()
})

function download(release: Partial<Release>, name: string): Promise<void> {
  const whole = { url: `${base}/release.tar.gz`, member: 'release/tool', ...release }
  return downloadRelease({
    tool: { name: 'tool', release: () => whole },
    version: '1.2.3',
    destination: path.join(folder.path, name, 'tool'),
    report: () => undefined,
  })
}

test('a release with the hash written down is unpacked to a program that runs', async () => {
  await download({ sha256 }, 'known')
  const { stdout } = spawnSync(path.join(folder.path, 'known', 'tool'))
  expect(stdout.toString()).toBe('1.2.3\n')
})

test('a release without one is checked against the list of its vendor', async () => {
  await download({ sumsUrl: `${base}/sums` }, 'listed')
  expect(readdirSync(path.join(folder.path, 'listed'))).toEqual(['tool'])
})

test('another content is refused and nothing stays', async () => {
  const refused = download({ sha256: 'f'.repeat(64) }, 'changed')
  await expect(refused).rejects.toThrow(/does not have the SHA-256 that was expected/)
  expect(readdirSync(path.join(folder.path, 'changed'))).toEqual([])
})

test('a release that nobody has a hash of, or that is missing, is refused', async () => {
  await expect(download({}, 'unknown')).rejects.toThrow(/No SHA-256 is known/)
  await expect(download({ sha256, url: `${base}/none` }, 'none')).rejects.toThrow(/answered 404/)
})

test('a vendor that cannot be reached is named at once', async () => {
  const startedMs = systemClock.monotonicMs()
  const away = download({ sha256, url: 'http://127.0.0.1:1/release.tar.gz' }, 'away')
  await expect(away).rejects.toThrow('127.0.0.1:1 cannot be reached.')
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(6_000)
})
