import { type AccountId, InvalidInput, type SessionId } from '@holdfast/kernel'

/** One thing that is over, as it was committed. */
export interface RevocationRow {
  /** Number of the transaction that wrote it: the first key of the order. */
  readonly xid: bigint
  /** The second key, which rises within a transaction. */
  readonly revocationId: bigint
  readonly subject:
    | { readonly kind: 'session'; readonly sessionId: SessionId }
    | { readonly kind: 'account'; readonly accountId: AccountId; readonly generationMin: number }
  readonly revokedAt: Date
}

/** What one read of the primary found. */
export interface RevocationRead {
  /** Rows from the asked place on, in order, at most the asked number. */
  readonly rows: readonly RevocationRow[]
  readonly hasMore: boolean
  /** Below this number every transaction had ended: whoever reads on from here misses nothing. */
  readonly horizon: bigint
  /** Names the line of history these numbers belong to; another after a failover. */
  readonly epoch: string
  readonly asOf: Date
}

/** From where a read goes on. */
export type ReadFrom =
  /** Everything of the last minutes. */
  | { readonly kind: 'window' }
  /** Everything by transactions of this number or higher. */
  | { readonly kind: 'xid'; readonly xid: bigint }
  /** Everything behind this row. */
  | { readonly kind: 'row'; readonly xid: bigint; readonly revocationId: bigint }

/** A reader's place: where it stands, and where it goes on once it has caught up. */
export interface RevocationCursor {
  readonly epoch: string
  readonly from: ReadFrom
  /** Horizon of the first page of a round; undefined at the start of one. */
  readonly roundHorizon: bigint | undefined
}

/** A page as answered. */
export interface RevocationAnswer {
  readonly rows: readonly RevocationRow[]
  readonly cursor: string
  readonly hasMore: boolean
  readonly asOf: Date
}

/**
 * Reads the cursor of an earlier answer; the empty one starts anew, a foreign one is InvalidInput.
 */
export function parseCursor(text: string): RevocationCursor {
  if (text === '') return { epoch: '', from: { kind: 'window' }, roundHorizon: undefined }
  const match = /^(\d{1,20}-[0-9A-F]{8})\.(\d{1,19})(?:\.(\d{1,19})\.(\d{1,19}))?$/.exec(text)
  const [, epoch, first, xid, revocationId] = match ?? []
  if (epoch === undefined || first === undefined) throw cursorInvalid()
  if (xid === undefined || revocationId === undefined) {
    return { epoch, from: { kind: 'xid', xid: BigInt(first) }, roundHorizon: undefined }
  }
  const from = { kind: 'row', xid: BigInt(xid), revocationId: BigInt(revocationId) } as const
  return { epoch, from, roundHorizon: BigInt(first) }
}

/** Where one read must begin so that it serves all these readers. */
export function earliestOf(cursors: readonly RevocationCursor[]): ReadFrom {
  let earliest: ReadFrom | undefined
  for (const { from } of cursors) {
    if (earliest === undefined || isBefore(from, earliest)) earliest = from
  }
  return earliest ?? { kind: 'window' }
}

/**
 * One reader's page out of a read that began at or before its place. A reader from another epoch
 * begins anew: its numbers mean nothing here.
 */
export function answerFrom(
  read: RevocationRead,
  cursor: RevocationCursor,
  pageSize: number,
): RevocationAnswer {
  const behind = read.rows.filter((row) => isBehind(row, cursor.from))
  const rows = behind.slice(0, pageSize)
  const last = rows.at(-1)
  const hasMore = read.hasMore || behind.length > rows.length
  // Rows that commit late between two pages lie at or above the horizon of the first one.
  const horizon = cursor.roundHorizon ?? read.horizon
  const place = hasMore ? placeAfter(last, cursor.from) : ''
  return { rows, cursor: `${read.epoch}.${horizon}${place}`, hasMore, asOf: read.asOf }
}

/** Behind the last row given; where none was, the place stays what it was. */
function placeAfter(last: RevocationRow | undefined, from: ReadFrom): string {
  if (last !== undefined) return `.${last.xid}.${last.revocationId}`
  // Ids begin at 1, so "behind row 0" is the beginning of that transaction.
  if (from.kind === 'window') return '.0.0'
  return from.kind === 'row' ? `.${from.xid}.${from.revocationId}` : `.${from.xid}.0`
}

function isBehind(row: RevocationRow, from: ReadFrom): boolean {
  switch (from.kind) {
    case 'window':
      return true
    case 'xid':
      return row.xid >= from.xid
    case 'row':
      return row.xid > from.xid || (row.xid === from.xid && row.revocationId > from.revocationId)
  }
}

function isBefore(left: ReadFrom, right: ReadFrom): boolean {
  if (right.kind === 'window') return false
  if (left.kind === 'window') return true
  if (left.xid !== right.xid) return left.xid < right.xid
  if (left.kind !== 'row') return right.kind === 'row'
  return right.kind === 'row' && left.revocationId < right.revocationId
}

function cursorInvalid(): InvalidInput {
  return new InvalidInput(
    'This cursor is not one of this service; begin without a cursor.',
    [{ field: 'cursor', description: 'is not a cursor of this service' }],
    'CURSOR_INVALID',
  )
}
