import type { RpcMethodDefinition } from '@holdfast/rpc'

/** A way to break a message, named as the table shows it. */
export interface HostileMessage {
  readonly kind: 'truncated' | 'zero tag' | 'bad text' | 'overrun' | 'stray group' | 'random'
  readonly bytes: Uint8Array
}

const RANDOM_BYTES = 64
const RANDOM_MESSAGES = 3

/** A field number that no message here uses. */
const FREE_FIELD = 100

/** Wire type 2 (a length and so many bytes) of a field. */
function lengthTag(field: number): readonly number[] {
  const tag = (field << 3) | 2
  return tag < 128 ? [tag] : [(tag & 127) | 128, tag >> 7]
}

/**
 * Messages no reader may accept, made from a valid one. The same seed gives the same bytes. All of
 * them must be refused as malformed, whoever sends them.
 */
export function hostileMessages(
  method: RpcMethodDefinition,
  valid: Uint8Array,
  seed: number,
): HostileMessage[] {
  const messages: HostileMessage[] = [
    { kind: 'truncated', bytes: truncated(valid) },
    { kind: 'zero tag', bytes: Uint8Array.of(...valid, 0, 1) },
    { kind: 'overrun', bytes: Uint8Array.of(...valid, ...lengthTag(FREE_FIELD), 120, 1) },
    // Wire type 4 ends a group that never began.
    { kind: 'stray group', bytes: Uint8Array.of(...valid, (1 << 3) | 4) },
  ]
  const badText = withBadText(method)
  if (badText !== undefined) messages.push({ kind: 'bad text', bytes: badText })
  const random = seededBytes(seed)
  for (let index = 0; index < RANDOM_MESSAGES; index += 1) {
    // Wire type 7 does not exist, so what follows cannot happen to be a message.
    messages.push({ kind: 'random', bytes: Uint8Array.of(0x0f, ...random(RANDOM_BYTES)) })
  }
  return messages
}

function truncated(valid: Uint8Array): Uint8Array {
  // An empty message has nothing to cut: a tag without its value is the same mistake.
  return valid.length === 0 ? Uint8Array.of(...lengthTag(1)) : valid.subarray(0, -1)
}

/** A message whose first text field is not UTF-8; undefined when it has no text field. */
function withBadText(method: RpcMethodDefinition): Uint8Array | undefined {
  const empty = method.requestType.decode(new Uint8Array(0)) as Readonly<Record<string, unknown>>
  const name = Object.keys(empty).find((key) => empty[key] === '')
  if (name === undefined) return undefined
  const mark = '@@'
  const bytes = Uint8Array.from(method.requestType.encode({ ...empty, [name]: mark }).finish())
  const at = bytes.findIndex((byte, index) => byte === 0x40 && bytes[index + 1] === 0x40)
  bytes.set([0xff, 0xfe], at)
  return bytes
}

/** Bytes of a linear congruential generator with the constants of Numerical Recipes: repeatable. */
function seededBytes(seed: number): (count: number) => number[] {
  let state = seed >>> 0
  return (count) =>
    Array.from({ length: count }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state >>> 24
    })
}
