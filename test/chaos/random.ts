import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** A whole number from 0 to `end` - 1. */
  below(end: number): number
  /** The items in another order; the list given stays as it is. */
  shuffled<T>(items: readonly T[]): readonly T[]
}

/** A source that begins at `seed`, a whole number. */
export function seededRandom(seed: number): Random {
  const source = xoroshiro128plus(seed)
  const below = (end: number): number => uniformInt(source, 0, end - 1)
  return {
    below,
    shuffled: (items) => {
      const left = [...items]
      return items.map(() => left.splice(below(left.length), 1)).flat()
    },
  }
}
