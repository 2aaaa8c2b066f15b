/** The part of an outbox row that conflation looks at. */
export interface StateRow {
  readonly seq: bigint
  readonly key: string
  readonly version: bigint
}

/** The newest row of each key, in the order of their seq; the others are covered by them. */
export function conflate<R extends StateRow>(rows: readonly R[]): readonly R[] {
  const newest = new Map<string, R>()
  for (const row of rows) {
    const other = newest.get(row.key)
    if (other === undefined || other.version < row.version) newest.set(row.key, row)
  }
  return [...newest.values()].toSorted((left, right) => (left.seq < right.seq ? -1 : 1))
}
