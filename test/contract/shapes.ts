import { readFileSync } from 'node:fs'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { fieldsOf, type WireField } from './wire-fields.ts'

/** What a field holds, as far as the rows tell values apart. */
export type FieldType = 'text' | 'int32' | 'int64' | 'enum' | 'message'

/** One field of a request, however deep. */
export interface FieldShape {
  /** Field numbers from the request down to it. */
  readonly path: readonly number[]
  /** As a violation names it: `lines[0].item_id`. */
  readonly name: string
  /** Its own name alone: `item_id`. */
  readonly ownName: string
  readonly type: FieldType
  readonly isRepeated: boolean
}

interface Message {
  readonly fields: readonly Field[]
}

interface Field {
  readonly name: string
  readonly number: number
  readonly type: FieldType
  readonly isRepeated: boolean
  readonly messageName: string
  readonly oneof: string | undefined
}

/** Numbers in google.protobuf.descriptor.proto. */
const FILE = { package: 2, message: 4, service: 6 } as const
const MESSAGE = { name: 1, field: 2, nested: 3, oneof: 8 } as const
const FIELD = {
  name: 1,
  number: 3,
  label: 4,
  type: 5,
  typeName: 6,
  oneof: 9,
  optional: 17,
} as const
const LABEL_REPEATED = 3
const TYPES: ReadonlyMap<number, FieldType> = new Map([
  [3, 'int64'],
  [5, 'int32'],
  [9, 'text'],
  [11, 'message'],
  [14, 'enum'],
])

/** Bound on how deep a request nests; those here go three down. */
const DEPTH_MAX = 6

const text = (field: WireField | undefined): string =>
  Buffer.from(field?.content ?? []).toString('utf8')
const all = (message: Uint8Array, number: number): WireField[] =>
  fieldsOf(message).filter((field) => field.number === number)
const one = (message: Uint8Array, number: number): WireField | undefined =>
  all(message, number).at(-1)
const whole = (field: WireField | undefined): number =>
  Array.from(field?.content ?? []).reduce(
    (sum, byte, index) => sum + (byte & 127) * 2 ** (7 * index),
    0,
  )

/** Every message of the contract by its full name with a leading dot. */
const MESSAGES: ReadonlyMap<string, Message> = readMessages()
const REQUESTS: ReadonlyMap<string, string> = readRequests()

/** The files of the descriptor set, which is what the servers tell by reflection. */
function readFiles(): Uint8Array[] {
  return all(readFileSync(DESCRIPTOR_SET_PATH), 1).map(({ content }) => content)
}

function readMessages(): Map<string, Message> {
  const messages = new Map<string, Message>()
  const add = (prefix: string, message: Uint8Array): void => {
    const name = `${prefix}.${text(one(message, MESSAGE.name))}`
    const oneofs = all(message, MESSAGE.oneof).map(({ content }) => text(one(content, 1)))
    const fields = all(message, MESSAGE.field).map(({ content }) => readField(content, oneofs))
    messages.set(name, { fields })
    for (const { content } of all(message, MESSAGE.nested)) add(name, content)
  }
  for (const file of readFiles()) {
    const prefix = `.${text(one(file, FILE.package))}`
    for (const { content } of all(file, FILE.message)) add(prefix, content)
  }
  return messages
}

function readField(field: Uint8Array, oneofs: readonly string[]): Field {
  const name = text(one(field, FIELD.name))
  const type = TYPES.get(whole(one(field, FIELD.type)))
  const oneof = one(field, FIELD.oneof)
  const isOptional = one(field, FIELD.optional) !== undefined
  return {
    name,
    number: whole(one(field, FIELD.number)),
    // What no request holds yet is told when one does.
    type: type ?? 'message',
    isRepeated: whole(one(field, FIELD.label)) === LABEL_REPEATED,
    messageName: text(one(field, FIELD.typeName)),
    oneof: oneof === undefined || isOptional ? undefined : oneofs[whole(oneof)],
  }
}

/** The request's message name of each RPC by its path. */
function readRequests(): Map<string, string> {
  const requests = new Map<string, string>()
  for (const file of readFiles()) {
    const prefix = text(one(file, FILE.package))
    for (const { content: service } of all(file, FILE.service)) {
      const name = `${prefix}.${text(one(service, 1))}`
      for (const { content: method } of all(service, 2)) {
        requests.set(`/${name}/${text(one(method, 1))}`, text(one(method, 2)))
      }
    }
  }
  return requests
}

/** Every field of an RPC's request, those of messages inside it after them. */
export function shapesOf(path: string): FieldShape[] {
  const shapes: FieldShape[] = []
  const visit = (name: string, numbers: readonly number[], prefix: string): void => {
    if (numbers.length > DEPTH_MAX) throw new Error(`${path} nests deeper than ${DEPTH_MAX}.`)
    for (const field of MESSAGES.get(name)?.fields ?? []) {
      const { number, type, isRepeated, oneof } = field
      // The service reads a oneof as its name and a value, and so do its violations.
      const ownName = oneof === undefined ? field.name : `${oneof}.value`
      const full = `${prefix}${ownName}`
      const at = [...numbers, number]
      shapes.push({ path: at, name: full, ownName, type, isRepeated })
      // Of a time only that it is there is looked at: its parts are the library's.
      if (type === 'message' && !field.messageName.startsWith('.google.')) {
        visit(field.messageName, at, `${full}${isRepeated ? '[0]' : ''}.`)
      }
    }
  }
  const request = REQUESTS.get(path)
  if (request === undefined) throw new Error(`The descriptors do not know ${path}.`)
  visit(request, [], '')
  return shapes
}
