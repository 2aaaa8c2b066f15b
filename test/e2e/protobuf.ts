/** One field of a protobuf message: a varint's number, or the bytes of anything else. */
interface Field {
  readonly number: number
  readonly value: number | Buffer
}

const NOTHING = Buffer.alloc(0)

/** The length-delimited values of one field: messages, texts or bytes. */
export function messagesIn(message: Buffer | undefined, number: number): Buffer[] {
  return fieldsOf(message ?? NOTHING).flatMap((field) =>
    field.number === number && typeof field.value !== 'number' ? [field.value] : [],
  )
}

/** The bytes of a field, none when it is not there. */
export function bytesIn(message: Buffer | undefined, number: number): Buffer {
  return messagesIn(message, number)[0] ?? NOTHING
}

/** The text of a field, '' when it is not there. */
export function textIn(message: Buffer | undefined, number: number): string {
  return bytesIn(message, number).toString('utf8')
}

/** The number of a varint field, 0 when it is not there. */
export function numberIn(message: Buffer, number: number): number {
  const found = fieldsOf(message).find((field) => field.number === number)
  return typeof found?.value === 'number' ? found.value : 0
}

const VARINT = 0
const FIXED64 = 1
const DELIMITED = 2

/** Reads only what is looked at here; fails at a wire type that no collector is sent. */
function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message.readUInt8(at)
      at += 1
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  const take = (length: number): Buffer => {
    at += length
    return message.subarray(at - length, at)
  }
  while (at < message.length) {
    const tag = varint()
    const type = tag & 7
    const read = (): number | Buffer => {
      if (type === VARINT) return varint()
      return take(type === DELIMITED ? varint() : type === FIXED64 ? 8 : 4)
    }
    fields.push({ number: tag >>> 3, value: read() })
  }
  return fields
}
