import type { DecoderCounts } from './strict-decoding.ts'

/** The parts of a descriptor image in JSON (`buf build -o image.json`) that generation reads. */
export interface DescriptorImage {
  readonly file: readonly FileDescriptor[]
}

interface FileDescriptor {
  readonly name: string
  readonly messageType?: readonly MessageDescriptor[]
  readonly enumType?: readonly EnumDescriptor[]
}

interface MessageDescriptor {
  readonly name: string
  readonly field?: readonly FieldDescriptor[]
  readonly nestedType?: readonly MessageDescriptor[]
  readonly options?: { readonly mapEntry?: boolean }
}

interface FieldDescriptor {
  readonly name: string
  readonly label: string
  readonly type: string
  readonly typeName?: string
}

interface EnumDescriptor {
  readonly name: string
  readonly value: readonly { readonly name: string; readonly number?: number }[]
}

const NEVER_PACKED = new Set(['TYPE_STRING', 'TYPE_BYTES', 'TYPE_MESSAGE', 'TYPE_GROUP'])

/** What each file's generated decoders must hold, by proto file name. */
export function countDecoders(image: DescriptorImage): ReadonlyMap<string, DecoderCounts> {
  return new Map(image.file.map((file) => [file.name, countFile(file)]))
}

function countFile(file: FileDescriptor): DecoderCounts {
  const messages = [...allMessages(file.messageType ?? [])]
  const fields = messages.flatMap((message) => message.field ?? [])
  return {
    messages: messages.length,
    strings: fields.filter((field) => field.type === 'TYPE_STRING').length,
    packed: fields.filter(isPacked).length,
  }
}

function* allMessages(messages: readonly MessageDescriptor[]): Generator<MessageDescriptor> {
  for (const message of messages) {
    yield message
    yield* allMessages(message.nestedType ?? [])
  }
}

function isPacked(field: FieldDescriptor): boolean {
  return field.label === 'LABEL_REPEATED' && !NEVER_PACKED.has(field.type)
}

/** Names of the values of holdfast.type.v1.ErrorReason by number, without prefix and without 0. */
export function errorReasons(image: DescriptorImage): readonly string[] {
  const file = image.file.find((each) => each.name === 'holdfast/type/v1/error_reason.proto')
  const values = file?.enumType?.find((each) => each.name === 'ErrorReason')?.value ?? []
  const named = values.filter((value) => (value.number ?? 0) !== 0)
  if (named.length === 0) throw new Error('holdfast.type.v1.ErrorReason has no values.')
  return named
    .toSorted((left, right) => (left.number ?? 0) - (right.number ?? 0))
    .map((value) => value.name.replace(/^ERROR_REASON_/, ''))
}

/**
 * Throws when our own files have a map, an Any or a message that holds itself: maps lose a
 * "__proto__" key, an Any hides what is in it, and recursion makes the depth of a request
 * unbounded.
 */
export function assertFlat(image: DescriptorImage): void {
  const edges = new Map<string, readonly string[]>()
  for (const file of image.file.filter((each) => each.name.startsWith('holdfast/'))) {
    const prefix = `.${file.name.split('/').slice(0, -1).join('.')}`
    collectEdges(prefix, file.messageType ?? [], edges)
  }
  const done = new Set<string>()
  for (const name of edges.keys()) assertNoCycle(name, edges, [], done)
}

function collectEdges(
  prefix: string,
  messages: readonly MessageDescriptor[],
  edges: Map<string, readonly string[]>,
): void {
  for (const message of messages) {
    const name = `${prefix}.${message.name}`
    if (message.options?.mapEntry === true) throw new Error(`${prefix} has a map; use a list.`)
    const targets = (message.field ?? []).flatMap((field) => field.typeName ?? [])
    if (targets.includes('.google.protobuf.Any')) throw new Error(`${name} has an Any; name it.`)
    edges.set(name, targets)
    collectEdges(name, message.nestedType ?? [], edges)
  }
}

function assertNoCycle(
  name: string,
  edges: ReadonlyMap<string, readonly string[]>,
  path: readonly string[],
  done: Set<string>,
): void {
  if (path.includes(name)) throw new Error(`${[...path, name].join(' → ')} is recursive.`)
  if (done.has(name)) return
  for (const target of edges.get(name) ?? []) assertNoCycle(target, edges, [...path, name], done)
  done.add(name)
}
