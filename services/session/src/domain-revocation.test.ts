import { type SessionId, idFromUuid } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type RevocationCursor,
  type RevocationRead,
  type RevocationRow,
  answerFrom,
  earliestOf,
  parseCursor,
} from './domain-revocation.ts'

const EPOCH = '7000000000000000001-0000000A'
const asOf = new Date('2026-03-01T12:00:00Z')

function sessionOf(number: number): SessionId {
  return idFromUuid('session', `01890000-0000-7000-8000-${number.toString().padStart(12, '0')}`)
}

interface Written {
  readonly xid: bigint
  readonly revocationId: bigint
  /** Step at which it becomes visible. */
  readonly commitStep: number
  /** Step at which its transaction began. */
  readonly beginStep: number
}

function rowOf(written: Written): RevocationRow {
  const { xid, revocationId } = written
  const sessionId = sessionOf(Number(revocationId))
  return { xid, revocationId, subject: { kind: 'session', sessionId }, revokedAt: asOf }
}

/** What the primary answers at a step, as the statement over `revocation` does. */
function readAt(
  all: readonly Written[],
  step: number,
  from: ReturnType<typeof earliestOf>,
  limit: number,
): RevocationRead {
  const running = all.filter((one) => one.beginStep <= step && one.commitStep > step)
  const started = all.filter((one) => one.beginStep <= step)
  const next = started.reduce((highest, one) => (one.xid > highest ? one.xid : highest), 0n) + 1n
  const horizon = running.reduce((lowest, one) => (one.xid < lowest ? one.xid : lowest), next)
  const visible = all
    .filter((one) => one.commitStep <= step)
    .filter((one) => {
      if (from.kind === 'window') return true
      if (one.xid !== from.xid) return one.xid > from.xid
      return from.kind === 'xid' || one.revocationId > from.revocationId
    })
    .toSorted((a, b) =>
      a.xid === b.xid ? Number(a.revocationId - b.revocationId) : Number(a.xid - b.xid),
    )
  const rows = visible.slice(0, limit).map(rowOf)
  return { rows, hasMore: visible.length > limit, horizon, epoch: EPOCH, asOf }
}

/** Transactions that begin in the order of their numbers and commit in any. */
const history = fc
  .array(fc.record({ waits: fc.nat(2), lasts: fc.nat(6), rows: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((transactions) => {
    let beginStep = 0
    let revocationId = 0n
    return transactions.flatMap(({ waits, lasts, rows }, index): Written[] => {
      beginStep += waits
      const xid = BigInt(index + 1)
      return Array.from({ length: rows }, () => {
        revocationId += 1n
        return { xid, revocationId, beginStep, commitStep: beginStep + 1 + lasts }
      })
    })
  })

test('I16: a reader that has caught up knows all that was committed before its first page', () => {
  fc.assert(
    fc.property(
      history,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      (all, pageSize, limit) => {
        const end = Math.max(...all.map((one) => one.commitStep)) + 1
        const known = new Set<bigint>()
        let cursor = ''
        let roundBegan = 0
        let isNewRound = true
        for (let step = 0; step <= end; step += 1) {
          // One page a step, so that transactions commit between the pages of a round.
          if (isNewRound) roundBegan = step
          const place = parseCursor(cursor)
          const read = readAt(all, step, earliestOf([place]), limit)
          const page = answerFrom(read, place, pageSize)
          for (const row of page.rows) known.add(row.revocationId)
          cursor = page.cursor
          isNewRound = !page.hasMore
          if (page.hasMore) continue
          const missed = all.filter(
            (one) => one.commitStep <= roundBegan && !known.has(one.revocationId),
          )
          expect(missed).toEqual([])
        }
      },
    ),
  )
})

test('readers who share a read miss nothing, however little of it is left for them', () => {
  fc.assert(
    fc.property(history, fc.integer({ min: 1, max: 3 }), (all, limit) => {
      const end = Math.max(...all.map((one) => one.commitStep)) + 1
      const early = { cursor: '', known: new Set<bigint>() }
      const late = { cursor: '', known: new Set<bigint>(), done: false }
      for (let step = 0; step < end + 100; step += 1) {
        const readers = step < end / 2 ? [late] : [early, late]
        const places = readers.map((reader) => parseCursor(reader.cursor))
        const read = readAt(all, step, earliestOf(places), limit)
        readers.forEach((reader, index) => {
          const place = places[index]
          if (place === undefined) return
          const page = answerFrom(read, place, 10)
          for (const row of page.rows) reader.known.add(row.revocationId)
          reader.cursor = page.cursor
        })
      }
      expect(late.known.size).toBe(all.length)
      expect(early.known.size).toBe(all.length)
    }),
  )
})

test('a shared read begins where the earliest reader stands', () => {
  const at = (from: RevocationCursor['from']): RevocationCursor => ({
    epoch: EPOCH,
    from,
    roundHorizon: undefined,
  })
  const five = at({ kind: 'xid', xid: 5n })
  const row = at({ kind: 'row', xid: 5n, revocationId: 1n })
  const laterRow = at({ kind: 'row', xid: 5n, revocationId: 9n })
  const start = at({ kind: 'window' })
  expect(earliestOf([row, five, laterRow])).toEqual(five.from)
  expect(earliestOf([laterRow, row])).toEqual(row.from)
  expect(earliestOf([five, start, row])).toEqual(start.from)
})

test.each(['x', EPOCH, `${EPOCH}.1.2`, `${EPOCH}.-1`, 'a.1', `${EPOCH}.1.2.3.4`])(
  'a cursor that is none of ours is refused: %s',
  (text) => {
    expect(() => parseCursor(text)).toThrow(/cursor/)
  },
)
