import { gzipSync } from 'node:zlib'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import { frame } from './rpc-kit.ts'

/** Numbers that look random and are the same for the same seed. */
export interface Dice {
  /** 0 to `below` - 1; 0 where there is nothing to choose from. */
  roll(below: number): number
  pick<T>(from: readonly T[]): T
}

/** Dice of a seed, a whole number. */
export function createDice(seed: number): Dice {
  const source = xoroshiro128plus(seed)
  const roll = (below: number): number => (below < 2 ? 0 : uniformInt(source, 0, below - 1))
  return { roll, pick: <T>(from: readonly T[]) => from[roll(from.length)] as T }
}

/** What a client sends as the body of one call. */
export interface Body {
  readonly bytes: Buffer
  readonly encoding: string
}

const splice = (bytes: Buffer, at: number, cut: number, put: readonly number[]): Buffer =>
  Buffer.concat([bytes.subarray(0, at), Buffer.from(put), bytes.subarray(at + cut)])

/** Bytes that break a message where they fall: tags, lengths, groups, text. */
const SPITEFUL: readonly (readonly number[])[] = [
  [0x00],
  [0x80, 0x00],
  [0x0b],
  [0x0c],
  [0x13, 0x14],
  [0x13, 0x1c],
  [0x0e],
  [0x0a, 0x7f],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0xc3, 0x28],
  [0xed, 0xa0, 0x80],
  [0xc0, 0x80],
  [0xef, 0xbb, 0xbf],
  [0xf4, 0x90, 0x80, 0x80],
]

type Mutation = (bytes: Buffer, dice: Dice) => Buffer

const MUTATIONS: readonly Mutation[] = [
  (bytes, dice) => {
    const at = dice.roll(bytes.length)
    return splice(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << dice.roll(8))])
  },
  (bytes, dice) => splice(bytes, dice.roll(bytes.length), 1, [dice.roll(256)]),
  (bytes, dice) => splice(bytes, dice.roll(bytes.length + 1), 0, [dice.roll(256)]),
  (bytes, dice) => splice(bytes, dice.roll(bytes.length), 1 + dice.roll(4), []),
  (bytes, dice) => bytes.subarray(0, dice.roll(bytes.length + 1)),
  (bytes, dice) => splice(bytes, dice.roll(bytes.length + 1), 0, dice.pick(SPITEFUL)),
  (bytes, dice) => Buffer.concat([bytes, Buffer.from(dice.pick(SPITEFUL))]),
  (bytes, dice) => {
    const at = dice.roll(bytes.length)
    const copied = bytes.subarray(at, at + 1 + dice.roll(12))
    return splice(bytes, dice.roll(bytes.length + 1), 0, [...copied])
  },
]

const MORE_ROUNDS_MAX = 3

/** The message after one mutation, or a few; now and then it is still a good one. */
export function mutateMessage(message: Buffer, dice: Dice): Buffer {
  let bytes = message
  const rounds = 1 + (dice.roll(2) === 0 ? 0 : dice.roll(MORE_ROUNDS_MAX))
  for (let round = 0; round < rounds; round += 1) bytes = dice.pick(MUTATIONS)(bytes, dice)
  return bytes
}

/** Ways to frame a message: mostly well, else as no library would. */
export function mutateBody(message: Buffer, dice: Dice): Body {
  const plain = frame(message)
  switch (dice.roll(60)) {
    case 0:
      return { bytes: frame(gzipSync(message), 1), encoding: 'gzip' }
    case 1:
      return { bytes: frame(mutateMessage(gzipSync(message), dice), 1), encoding: 'gzip' }
    case 2:
      return { bytes: Buffer.concat([plain, plain]), encoding: 'identity' }
    case 3:
      return { bytes: plain.subarray(0, dice.roll(plain.length)), encoding: 'identity' }
    case 4:
      return { bytes: splice(plain, dice.roll(5), 1, [dice.roll(256)]), encoding: 'identity' }
    case 5:
      return { bytes: Buffer.concat([plain, Buffer.from([dice.roll(2)])]), encoding: 'identity' }
    case 6:
      return { bytes: splice(plain, 0, 1, [dice.roll(256)]), encoding: 'gzip' }
    default:
      return { bytes: plain, encoding: 'identity' }
  }
}
