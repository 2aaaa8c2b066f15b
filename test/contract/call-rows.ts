import { gzipSync } from 'node:zlib'
import { CODE, type Row, type RowClass, wants } from './row.ts'
import { messageOf, WIRE } from './wire-fields.ts'
import type { Answer } from './wire.ts'
import { frame } from './wire.ts'

/** Cap on a message where the access table names none. */
const MESSAGE_BYTES_MAX = 1_048_576
/** Cap on all metadata of a call. */
const METADATA_BYTES_MAX = 8_192
/** Above what the transport itself takes, so that it, and not the decoder, refuses. */
const BOMB_BYTES = 16 * 1_048_576

/** A field number that no message here uses. */
const FREE_FIELD = 1_000

const BOMB = gzipSync(Buffer.alloc(BOMB_BYTES))

const TOO_LARGE = wants([CODE.resourceExhausted], ['MESSAGE_TOO_LARGE'])
const MALFORMED = wants([CODE.invalidArgument], ['MALFORMED_MESSAGE'])
const BAD_FIELD = wants([CODE.invalidArgument], ['INVALID_FIELD'])

/** Answered by the transport, which has a code of its own for it. */
const COUNTED_WRONG = wants([CODE.unimplemented, CODE.invalidArgument], ['MALFORMED_MESSAGE'])

function httpStatus(wanted: number): Row['check'] {
  return (answer) =>
    answer.httpStatus === wanted ? undefined : `wanted HTTP ${wanted}, got ${answer.httpStatus}`
}

const noneOf =
  (...codes: readonly number[]): Row['check'] =>
  (answer: Answer) =>
    answer.code !== undefined && codes.includes(answer.code) ? `got ${answer.code}` : undefined

/**
 * The rows of everything about a call beside its fields. None of these calls may run: those that
 * are not refused for what they are about would be for having no token or no message.
 */
export function callRows(about: {
  readonly path: string
  readonly valid: Uint8Array
  readonly bearer: string | undefined
  readonly requestBytesMax: number | undefined
  /** True when the RPC lets in callers who prove nothing. */
  readonly isOpen: boolean
}): Row[] {
  const { valid, bearer } = about
  const row = (of: RowClass, name: string, call: Row['call'], check: Row['check']): Row => ({
    class: of,
    name,
    call: { bearer, ...call },
    check,
  })
  const padding = new Uint8Array(about.requestBytesMax ?? MESSAGE_BYTES_MAX)
  const large = Buffer.concat([
    valid,
    messageOf([{ number: FREE_FIELD, wireType: WIRE.bytes, content: padding }]),
  ])
  const messages = [valid]
  const packed = (message: Uint8Array, encoding: string | undefined): Row['call'] => ({
    messages,
    body: frame(message, true),
    headers: { 'grpc-encoding': encoding },
  })
  return [
    row('size', 'above its cap', { messages: [large] }, TOO_LARGE),
    row('size', 'a length that lies', { messages, body: LYING }, TOO_LARGE),
    row('size', 'no message', { messages: [] }, COUNTED_WRONG),
    row('size', 'two messages', { messages: [valid, valid] }, COUNTED_WRONG),
    row('compression', 'a bomb', packed(BOMB, 'gzip'), TOO_LARGE),
    row('compression', 'above its cap', packed(gzipSync(large), 'gzip'), TOO_LARGE),
    row('compression', 'broken', packed(gzipSync(valid).subarray(0, -9), 'gzip'), MALFORMED),
    row('compression', 'flagged, no encoding', packed(gzipSync(valid), undefined), MALFORMED),
    row('compression', 'unknown encoding', packed(valid, 'br'), FOREIGN),
    ...metadataRows(row, valid, about.isOpen),
    ...httpRows(row, about.path, messages),
  ]
}

const LYING = Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1])
const FOREIGN = wants([CODE.unimplemented], ['MALFORMED_MESSAGE'])

type MakeRow = (of: RowClass, name: string, call: Row['call'], check: Row['check']) => Row

/** A caller is who its token says. Without one, what else it claims to be opens nothing. */
const NOBODY = wants([CODE.unauthenticated], ['TOKEN_MISSING'])

function metadataRows(row: MakeRow, valid: Uint8Array, isOpen: boolean): Row[] {
  const messages = [valid]
  const half = 'x'.repeat(METADATA_BYTES_MAX / 2)
  const twoBearers = { authorization: 'Bearer one, Bearer two' }
  const twoClasses = { 'holdfast-class': ['pay', 'report'] }
  // Whether it is read or dropped, it has to leave the server as it was.
  const binary = { messages: [new Uint8Array(0)], headers: { 'x-trace-bin': '%%%' } }
  const forged = { 'x-seller-id': 'slr_1', 'x-role': 'operator', 'x-forwarded-user': 'root' }
  const survives = noneOf(CODE.internal, CODE.unknown)
  const none = [new Uint8Array(0)]
  // Whoever may call without a proof is told about the empty message as anybody is.
  const asNobody = wants([valid.length === 0 ? CODE.ok : CODE.invalidArgument])
  return [
    row('metadata', 'above 8 KB', { messages, headers: { 'x-a': half, 'x-b': half } }, BAD_FIELD),
    row('metadata', 'two bearers in one', { messages, headers: twoBearers }, BAD_FIELD),
    row('metadata', 'a class sent twice', { messages, headers: twoClasses }, BAD_FIELD),
    row(
      'metadata',
      'a time that is none',
      { messages, headers: { 'grpc-timeout': 'x' } },
      BAD_FIELD,
    ),
    row('metadata', 'a broken binary header', binary, survives),
    row(
      'metadata',
      'a forged caller',
      { messages: none, bearer: undefined, headers: forged },
      isOpen ? asNobody : NOBODY,
    ),
  ]
}

function httpRows(row: MakeRow, path: string, messages: Uint8Array[]): Row[] {
  const json = { messages, headers: { 'content-type': 'application/json' } }
  const foreign = { messages, path: `${path}Foreign` }
  const broken = { messages, body: frame(messages[0] ?? LYING).subarray(0, -1), isBrokenOff: true }
  const noTrailers = { messages: [], headers: { te: undefined } }
  return [
    row('http2', 'a foreign content type', json, httpStatus(415)),
    row('http2', 'a foreign path', foreign, wants([CODE.unimplemented])),
    row('http2', 'no te', noTrailers, noneOf(CODE.ok, CODE.internal, CODE.unknown)),
    row('http2', 'broken off in the middle', broken, () => undefined),
  ]
}
