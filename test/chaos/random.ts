/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** A whole number from 0 to `end` - 1. */
  below(end: number): number
  /** The items in another order; the list given stays as it is. */
  shuffled<T>(items: readonly T[]): readonly T[]
}

/** Mulberry32: 32 bits of state are enough for a schedule of a few hundred choices. */
export function seededRandom(seed: number): Random {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (end: number): number => Math.floor(next() * end)
  return {
    below,
    shuffled: (items) => {
      const list = [...items]
      for (let last = list.length - 1; last > 0; last -= 1) {
        const other = below(last + 1)
        const [a, b] = [list[last], list[other]]
        list[last] = b as (typeof list)[number]
        list[other] = a as (typeof list)[number]
      }
      return list
    },
  }
}
