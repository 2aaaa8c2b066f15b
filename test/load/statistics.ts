/** The middle value; the mean of the two middle ones of an even number. Fails on an empty list. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const upper = sorted[Math.floor(sorted.length / 2)]
  const lower = sorted[Math.floor((sorted.length - 1) / 2)]
  if (upper === undefined || lower === undefined) throw new Error('There is nothing to measure by.')
  return (lower + upper) / 2
}

/** The median with how far the values lie apart. */
export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Median, least and most of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), least: Math.min(...values), most: Math.max(...values) }
}
