import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freeBackingPorts, makeTemporaryFolder, startBacking } from '../src/index.ts'

test('a busy port ends the start before anything is made, that of Redis too', async () => {
  using folder = temporaryFolder()
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const reported: string[] = []
  const start = startBacking({
    dataFolder: folder.path,
    ports: { ...(await freeBackingPorts()), redis: port },
    redisOptional: true,
    report: (line) => void reported.push(line),
  }).then((backing) => backing.stop())
  await expect(start).rejects.toThrow(`Port ${port} (redis) is in use by another program.`)
  expect(reported).toEqual([])
  other.close()
})

function temporaryFolder(): { readonly path: string } & Disposable {
  const folder = makeTemporaryFolder()
  return { path: folder.path, [Symbol.dispose]: () => folder.remove() }
}
