import type { Declaration, Node } from 'oxc-parser'
import { isCode, isTest } from './source.ts'
import type { Finding, SourceFile } from './source.ts'

/** Words that carry no fact by themselves. */
const EMPTY_WORDS = new Set(
  (
    'a an the of for to in on with and or is are be this that it its by from as at new one each ' +
    'returns return gets get sets set makes make creates create function method class type ' +
    'interface constant const value values object given'
  ).split(' '),
)

/** Every export of a package says what it is, beyond the words of its own name. */
export function checkDocstrings(files: readonly SourceFile[]): Finding[] {
  return files
    .filter((file) => /^packages\/[^/]+\/src\//.test(file.path))
    .filter((file) => isCode(file.path) && !isTest(file.path))
    .flatMap(exportFindings)
}

function exportFindings(file: SourceFile): Finding[] {
  const findings: Finding[] = []
  const { program } = file.parsed()
  let groupHasDoc = false
  let previousEnd = 0
  for (const statement of program.body) {
    const names = statement.type === 'ExportNamedDeclaration' ? exportedNames(statement) : []
    const doc = docBefore(file, statement.start)
    const adjacent = file.text.slice(previousEnd, statement.start).split('\n').length === 2
    previousEnd = statement.end
    if (names.length === 0) {
      // An overload or a group is one thing only while its members stand together.
      groupHasDoc = false
      continue
    }
    const covered: boolean = doc === undefined && adjacent && groupHasDoc
    groupHasDoc = doc !== undefined || covered
    for (const name of names) {
      if (covered || (doc !== undefined && saysMore(name, doc))) continue
      const why = doc === undefined ? 'has no docstring' : "'s docstring only repeats its name"
      const message = doc === undefined ? `${name} ${why}` : `${name}${why}`
      findings.push({ path: file.path, line: file.lineAt(statement.start), subject: name, message })
    }
  }
  return findings
}

function exportedNames(node: { readonly declaration: Declaration | null }): string[] {
  const { declaration } = node
  if (declaration === null) return []
  if (declaration.type === 'VariableDeclaration') {
    return declaration.declarations.flatMap((one) => nameOf(one.id))
  }
  return 'id' in declaration && declaration.id !== null ? nameOf(declaration.id) : []
}

function nameOf(node: Node): string[] {
  return node.type === 'Identifier' ? [node.name] : []
}

function docBefore(file: SourceFile, start: number): string | undefined {
  const comment = file.parsed().comments.findLast((one) => one.end <= start)
  if (comment?.type !== 'Block' || !comment.value.startsWith('*')) return undefined
  // Only white space and line comments (such as a lint directive) may stand between.
  const between = file.text.slice(comment.end, start).replaceAll(/\/\/.*$/gm, '')
  return between.trim() === '' ? comment.value.replaceAll(/^\s*\*/gm, ' ').trim() : undefined
}

function saysMore(name: string, doc: string): boolean {
  const own = new Set(wordsOf(name.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')))
  return wordsOf(doc).some((word) => !own.has(word) && !EMPTY_WORDS.has(word))
}

function wordsOf(text: string): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return words.map((word) => (word.length > 3 ? word.replace(/(es|s|ed|ing)$/, '') : word))
}
