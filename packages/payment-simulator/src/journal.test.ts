import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Change } from './domain.ts'
import { Journal, type JournalLine } from './journal.ts'

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'journal-'))
  path = join(folder, 'ledger.jsonl')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const AT = '2026-03-01T12:00:00.000Z'
const delivered = (eventId: string): Change => ({ kind: 'delivered', eventId })

async function readAll(): Promise<JournalLine[]> {
  const lines: JournalLine[] = []
  const journal = await Journal.open(path, (line) => {
    lines.push(line)
  })
  await journal.close()
  return lines
}

test('I7: lines appended at the same time are all there after a restart, in order', async () => {
  const journal = await Journal.open(path, () => undefined)
  const ids = Array.from({ length: 200 }, (_, index) => `evt_${index}`)
  await Promise.all(ids.map((id) => journal.append(AT, [delivered(id)])))
  await journal.close()
  const lines = await readAll()
  expect(lines.map((line) => line.seq)).toEqual(ids.map((_, index) => index + 1))
  expect(lines.flatMap((line) => line.changes)).toEqual(ids.map(delivered))
})

test('a last line cut by a power loss is dropped, and the next one takes its place', async () => {
  const journal = await Journal.open(path, () => undefined)
  await journal.append(AT, [delivered('evt_1')])
  await journal.close()
  await appendFile(path, '{"seq":2,"at":"2026-03-')
  expect(await readAll()).toHaveLength(1)
  const again = await Journal.open(path, () => undefined)
  await again.append(AT, [delivered('evt_2')])
  await again.close()
  expect((await readAll()).map((line) => line.seq)).toEqual([1, 2])
})

test('a damaged or missing line in the middle stops the start', async () => {
  await writeFile(path, '{"seq":1,"at":"x","changes":[]}\n{"seq":3,"at":"x","changes":[]}\n')
  await expect(readAll()).rejects.toThrow('line 2 is missing')
  await writeFile(path, 'nonsense\n')
  await expect(readAll()).rejects.toThrow('is not valid JSON')
})

test('amounts above 2^53 survive the file', async () => {
  const journal = await Journal.open(path, () => undefined)
  const charge = {
    id: 'ch_1',
    intentId: 'pi_1',
    ref: 'r',
    currency: 'EUR',
    amountMinor: 9_007_199_254_740_993n,
    createdAt: AT,
  }
  await journal.append(AT, [{ kind: 'charge', charge }])
  await journal.close()
  expect(await readFile(path, 'utf8')).toContain('"9007199254740993"')
  expect((await readAll())[0]?.changes[0]).toEqual({ kind: 'charge', charge })
})
