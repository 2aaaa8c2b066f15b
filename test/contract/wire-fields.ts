/** One field as it stands in a message: its number, its wire type and its bytes without the tag. */
export interface WireField {
  readonly number: number
  readonly wireType: number
  /** For a length-delimited field the content alone, without its length. */
  readonly content: Uint8Array
}

/** Wire types of fields that the rows make. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const

const VARINT_BYTES_MAX = 10

/** A whole number in base 128, as an int32 or int64 is sent: negative ones take ten bytes. */
export function varint(value: bigint): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  do {
    const low = Number(rest & 127n)
    rest >>= 7n
    bytes.push(rest === 0n ? low : low | 128)
  } while (rest !== 0n)
  return Uint8Array.from(bytes)
}

/** The fields of a well-formed message, in order. Fails at bytes that are no message. */
export function fieldsOf(message: Uint8Array): WireField[] {
  const fields: WireField[] = []
  let at = 0
  while (at < message.length) {
    const tag = readVarint(message, at)
    at = tag.end
    const { number, wireType } = {
      number: Number(tag.value >> 3n),
      wireType: Number(tag.value & 7n),
    }
    const { start, end } = spanOf(message, at, wireType)
    fields.push({ number, wireType, content: message.subarray(start, end) })
    at = end
  }
  return fields
}

function spanOf(
  message: Uint8Array,
  at: number,
  wireType: number,
): { readonly start: number; readonly end: number } {
  if (wireType === WIRE.varint) return { start: at, end: readVarint(message, at).end }
  if (wireType === WIRE.fixed64) return { start: at, end: at + 8 }
  if (wireType === WIRE.fixed32) return { start: at, end: at + 4 }
  if (wireType !== WIRE.bytes) throw new Error(`Wire type ${wireType} is not read here.`)
  const length = readVarint(message, at)
  return { start: length.end, end: length.end + Number(length.value) }
}

function readVarint(message: Uint8Array, at: number) {
  let value = 0n
  for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
    const byte = message[at + index] ?? 0
    value |= BigInt(byte & 127) << BigInt(7 * index)
    if (byte < 128) return { value, end: at + index + 1 }
  }
  throw new Error('A number has no end.')
}

/** The message of these fields. */
export function messageOf(fields: readonly WireField[]): Uint8Array {
  return Buffer.concat(
    fields.flatMap(({ number, wireType, content }) => {
      const tag = varint(BigInt((number << 3) | wireType))
      return wireType === WIRE.bytes
        ? [tag, varint(BigInt(content.length)), content]
        : [tag, content]
    }),
  )
}

/**
 * The message with other fields in the place of all that have the number at the end of `path`;
 * fields on the way are messages, of which the first counts, and an empty one is put where none is.
 */
export function withFields(
  message: Uint8Array,
  path: readonly number[],
  put: (former: readonly WireField[]) => readonly WireField[],
): Uint8Array {
  const [number, ...rest] = path
  if (number === undefined) throw new Error('A path names a field.')
  const fields = fieldsOf(message)
  const former = fields.filter((field) => field.number === number)
  const others = fields.filter((field) => field.number !== number)
  if (rest.length === 0) return messageOf([...others, ...put(former)])
  const [first, ...more] = former
  const inner = withFields(first?.content ?? new Uint8Array(0), rest, put)
  return messageOf([...others, { number, wireType: WIRE.bytes, content: inner }, ...more])
}

/** The fields at the end of a path, by the first message on each step of the way. */
export function fieldsAt(message: Uint8Array, path: readonly number[]): readonly WireField[] {
  const [number, ...rest] = path
  const found = fieldsOf(message).filter((field) => field.number === number)
  const [first] = found
  if (rest.length === 0) return found
  return first === undefined ? [] : fieldsAt(first.content, rest)
}
