import { isUtf8 } from 'node:buffer'
import { gunzipSync } from 'node:zlib'

interface Field {
  readonly name: string
  readonly type: 'string' | 'int32' | 'int64' | Shape
  readonly repeated?: true
}

/** A message's fields by number, as far as the tests use them. */
export interface Shape {
  readonly [number: number]: Field
}

interface Cursor {
  readonly bytes: Buffer
  position: number
  readonly end: number
}

const VARINT_BYTES_MAX = 10
/** What the transport takes; our own cap is a fourth of it. */
const MESSAGE_BYTES_MAX = 4_194_304

/**
 * Reads a message by the rules of the protobuf wire format alone, or throws: a second opinion on
 * the generated decoders, which it shares no code with.
 */
export function readByTheRules(bytes: Buffer, shape: Shape): Record<string, unknown> {
  return readMessage({ bytes, position: 0, end: bytes.length }, shape)
}

function readMessage(at: Cursor, shape: Shape): Record<string, unknown> {
  const message = emptyOf(shape)
  while (at.position < at.end) {
    const tag = Number(readVarint(at) & 0xffff_ffffn)
    const field = shape[tag >>> 3]
    const wanted = field?.type === 'int32' || field?.type === 'int64' ? 0 : 2
    if (field === undefined || (tag & 7) !== wanted) {
      passOver(at, tag)
      continue
    }
    const value = readValue(at, field.type)
    const present = message[field.name]
    if (Array.isArray(present)) present.push(value)
    else message[field.name] = value
  }
  return message
}

function emptyOf(shape: Shape): Record<string, unknown> {
  const message: Record<string, unknown> = {}
  for (const { name, type, repeated } of Object.values<Field>(shape as Record<string, Field>)) {
    const single = type === 'string' ? '' : type === 'int64' ? 0n : 0
    message[name] = repeated === true ? [] : single
  }
  return message
}

function readValue(at: Cursor, type: Field['type']): unknown {
  if (type === 'int32') return Number(BigInt.asIntN(32, readVarint(at)))
  if (type === 'int64') return BigInt.asIntN(64, readVarint(at))
  const bytes = readBytes(at, Number(readVarint(at) & 0xffff_ffffn))
  if (typeof type !== 'string') return readByTheRules(bytes, type)
  if (!isUtf8(bytes)) throw new Error('text is not UTF-8')
  return bytes.toString('utf8')
}

function readVarint(at: Cursor): bigint {
  let value = 0n
  for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
    const byte = readBytes(at, 1)[0] ?? 0
    value |= BigInt(byte & 0x7f) << BigInt(7 * index)
    if (byte < 0x80) return value
  }
  throw new Error('a varint has no end')
}

function readBytes(at: Cursor, count: number): Buffer {
  if (at.position + count > at.end) throw new Error('past the end')
  const bytes = at.bytes.subarray(at.position, at.position + count)
  at.position += count
  return bytes
}

function passOver(at: Cursor, tag: number): void {
  if (tag >>> 3 === 0) throw new Error('field number zero')
  switch (tag & 7) {
    case 0:
      // A field nobody knows may be longer than any number is.
      while ((readBytes(at, 1)[0] ?? 0) >= 0x80);
      return undefined
    case 1:
      return void readBytes(at, 8)
    case 2:
      return void readBytes(at, Number(readVarint(at) & 0xffff_ffffn))
    case 3:
      return passGroup(at, tag >>> 3)
    case 5:
      return void readBytes(at, 4)
    default:
      throw new Error(`wire type ${tag & 7} begins nothing`)
  }
}

function passGroup(at: Cursor, field: number): void {
  for (;;) {
    const tag = Number(readVarint(at) & 0xffff_ffffn)
    if ((tag & 7) !== 4) passOver(at, tag)
    else if (tag >>> 3 === field) return
    else throw new Error('a group ends with a number that is not its own')
  }
}

/** The messages of a body that are there whole, decompressed; throws for what none may be. */
export function messagesIn(body: Buffer, encoding: string): readonly Buffer[] {
  const messages: Buffer[] = []
  for (let position = 0; position + 5 <= body.length; ) {
    const length = body.readUInt32BE(position + 1)
    if (length > MESSAGE_BYTES_MAX) throw new Error('too large')
    const end = position + 5 + length
    if (end > body.length) break
    const bytes = body.subarray(position + 5, end)
    messages.push(body[position] === 1 && encoding === 'gzip' ? gunzipSync(bytes) : bytes)
    position = end
  }
  return messages
}
