/**
 * ts-proto's decoders accept what a decoder must refuse: a zero tag ends the message silently, a
 * nested length may run over its parent, groups may end where none began, and text may be invalid
 * UTF-8. These edits of the generated text turn each of them into a throw. Every edit is counted
 * against the descriptor, so that a new version of the generator cannot slip past them.
 */

/** How many decoders, string reads and packed reads the descriptor says a generated file has. */
export interface DecoderCounts {
  readonly messages: number
  readonly strings: number
  readonly packed: number
}

interface Edit {
  readonly name: string
  readonly expected: (counts: DecoderCounts) => number
  /** The text as the generator writes it. */
  readonly plain: RegExp
  readonly strict: string
}

const EDITS: readonly Edit[] = [
  {
    name: 'a message ends where its length says',
    expected: (counts) => counts.messages,
    plain: /^( {6})return message;\n {4}\} finally \{$/gm,
    strict:
      '$1if (reader.pos !== end) {\n' +
      '$1  throw new globalThis.Error("message overruns its length");\n' +
      '$1}\n' +
      '$1return message;\n    } finally {',
  },
  {
    name: 'field number zero and a stray end of group are refused',
    expected: (counts) => counts.messages,
    plain: /^( {8})if \(\(tag & 7\) === 4 \|\| tag === 0\) \{\n {10}break;$/gm,
    strict:
      '$1if ((tag & 7) === 4 || tag >>> 3 === 0) {\n' +
      '$1  throw new globalThis.Error("tag " + tag + " is not valid here");',
  },
  {
    name: 'text is UTF-8',
    expected: (counts) => counts.strings,
    plain: /\breader\.string\(\)/g,
    strict: 'reader.string(true)',
  },
  {
    name: 'a group ends with its own number',
    expected: (counts) => counts.messages,
    plain: /\breader\.skip\(tag & 7\)/g,
    strict: 'reader.skip(tag & 7, tag >>> 3)',
  },
  {
    name: 'a packed list ends where its length says',
    expected: (counts) => counts.packed,
    plain: /^( +)while \(reader\.pos < end2\) \{\n(.*\n)\1\}$/gm,
    strict:
      '$1while (reader.pos < end2) {\n$2$1}\n' +
      '$1if (reader.pos !== end2) {\n' +
      '$1  throw new globalThis.Error("packed list overruns its length");\n' +
      '$1}',
  },
]

/** Marks an edited file, so that a second run leaves it as it is. */
const MARK = '// Decoding is strict: packages/proto/strict-decoding.ts edited this file.\n'
const GENERATED_HEADER = /^\/\/ source: .*\n/m

/**
 * The generated text with strict decoding. Idempotent: an edited text is returned as it is. Throws
 * when an edit finds more or fewer places than the descriptor has.
 */
export function makeDecodingStrict(file: string, source: string, counts: DecoderCounts): string {
  if (source.includes(MARK)) return source
  let text = source
  for (const edit of EDITS) {
    const found = text.match(edit.plain)?.length ?? 0
    const expected = edit.expected(counts)
    if (found !== expected) {
      throw new Error(
        `${file}: "${edit.name}" fits ${found} places, the descriptor has ${expected}.`,
      )
    }
    text = text.replace(edit.plain, edit.strict)
  }
  return text.replace(GENERATED_HEADER, (line) => line + MARK)
}
