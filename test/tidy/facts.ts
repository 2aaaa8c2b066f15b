import { Visitor } from 'oxc-parser'
import type { Argument, Node, VisitorObject } from 'oxc-parser'
import type { SourceFile } from './source.ts'

/** One use of another module: an import, a re-export, `import()`, a type or a worker's URL. */
export interface ImportUse {
  /** The module's name as written, or '' when it is computed at run time. */
  readonly specifier: string
  /** True when nothing of it exists at run time. */
  readonly typeOnly: boolean
  readonly line: number
}

/** A string or template literal; `${...}` in a template is one space. */
export interface TextLiteral {
  readonly text: string
  readonly line: number
}

/** A dotted name that is read, called or made, such as `Date.now` or `process.env.HOME`. */
export interface NameUse {
  readonly name: string
  readonly line: number
  readonly kind: 'read' | 'call' | 'new'
  readonly argumentCount: number
  /** The first argument when it is a plain string. */
  readonly firstText: string | undefined
}

/** A function with its length in lines, its own first and last line included. */
export interface FunctionSize {
  readonly name: string
  readonly line: number
  readonly lineCount: number
}

/** What the rules need to know of one code file. */
export interface Facts {
  readonly imports: readonly ImportUse[]
  readonly texts: readonly TextLiteral[]
  readonly names: readonly NameUse[]
  readonly functions: readonly FunctionSize[]
}

const known = new WeakMap<SourceFile, Facts>()

/** The facts of a code file, collected once per file. Throws when it does not parse. */
export function factsOf(file: SourceFile): Facts {
  const earlier = known.get(file)
  if (earlier !== undefined) return earlier
  const facts = collect(file)
  known.set(file, facts)
  return facts
}

interface Collected {
  readonly imports: ImportUse[]
  readonly texts: TextLiteral[]
  readonly names: NameUse[]
  readonly functions: FunctionSize[]
  /** Offsets of nodes that an enclosing node has already accounted for. */
  readonly done: Set<Node>
  /** Names of functions, given by the declaration around them. */
  readonly given: Map<Node, string>
  /** Functions that only group tests. */
  readonly groups: Set<Node>
}

function collect(file: SourceFile): Facts {
  const collected: Collected = {
    imports: moduleImports(file),
    texts: [],
    names: [],
    functions: [],
    done: new Set(),
    given: new Map(),
    groups: new Set(),
  }
  const visitor = new Visitor({
    ...nameVisitor(file, collected),
    ...functionVisitor(file, collected),
    ...textVisitor(file, collected),
  })
  visitor.visit(file.parsed().program)
  return collected
}

function moduleImports(file: SourceFile): ImportUse[] {
  const { module } = file.parsed()
  const uses: ImportUse[] = []
  for (const one of module.staticImports) {
    uses.push({
      specifier: one.moduleRequest.value,
      typeOnly: one.entries.length > 0 && one.entries.every((entry) => entry.isType),
      line: file.lineAt(one.start),
    })
  }
  for (const one of module.staticExports) {
    const [first] = one.entries
    const request = first?.moduleRequest
    if (request === null || request === undefined) continue
    const typeOnly = one.entries.every((entry) => entry.isType)
    uses.push({ specifier: request.value, typeOnly, line: file.lineAt(one.start) })
  }
  for (const one of module.dynamicImports) {
    const written = file.text.slice(one.moduleRequest.start, one.moduleRequest.end)
    const quoted = /^(['"`])([^$]*)\1$/.exec(written.trim())
    uses.push({ specifier: quoted?.[2] ?? '', typeOnly: false, line: file.lineAt(one.start) })
  }
  return uses
}

/** The dotted name of an expression, or undefined when it is not made of plain names. */
function dottedName(node: Node): string | undefined {
  if (node.type === 'Identifier') return node.name
  if (node.type === 'ChainExpression') return dottedName(node.expression)
  if (node.type !== 'MemberExpression') return undefined
  const object = dottedName(node.object)
  if (object === undefined) return undefined
  if (!node.computed && node.property.type === 'Identifier')
    return `${object}.${node.property.name}`
  const { property } = node
  if (property.type !== 'Literal' || typeof property.value !== 'string') return object
  return `${object}.${property.value}`
}

function nameVisitor(file: SourceFile, collected: Collected): VisitorObject {
  const { names, done, imports, groups } = collected
  const add = (node: Node, kind: NameUse['kind'], given: readonly Argument[]): void => {
    const name = dottedName(node)
    if (name === undefined) return
    markDone(node, done)
    const [first] = given
    const firstText = first === undefined ? undefined : plainText(first)
    const line = file.lineAt(node.start)
    names.push({ name, line, kind, argumentCount: given.length, firstText })
    if (name === 'URL' && kind === 'new' && /^\.{1,2}\/.*\.ts$/.test(firstText ?? '')) {
      imports.push({ specifier: firstText ?? '', typeOnly: false, line })
    }
  }
  return {
    CallExpression(node) {
      add(node.callee, 'call', node.arguments)
      if (/^(describe|suite)\b/.test(dottedName(node.callee) ?? '')) {
        for (const argument of node.arguments) groups.add(argument)
      }
    },
    NewExpression(node) {
      add(node.callee, 'new', node.arguments)
    },
    MemberExpression(node) {
      if (!done.has(node)) add(node, 'read', [])
      if (!node.computed) done.add(node.property)
    },
    ImportSpecifier(node) {
      done.add(node.imported).add(node.local)
    },
    PropertyDefinition(node) {
      if (!node.computed) done.add(node.key)
    },
    TSPropertySignature(node) {
      if (!node.computed) done.add(node.key)
    },
    TSMethodSignature(node) {
      if (!node.computed) done.add(node.key)
    },
    Identifier(node) {
      if (!done.has(node)) add(node, 'read', [])
    },
    TSImportType(node) {
      const line = file.lineAt(node.start)
      imports.push({ specifier: node.source.value, typeOnly: true, line })
    },
  }
}

function markDone(node: Node, done: Set<Node>): void {
  done.add(node)
  if (node.type === 'MemberExpression') {
    markDone(node.object, done)
    if (!node.computed) done.add(node.property)
  } else if (node.type === 'ChainExpression') {
    markDone(node.expression, done)
  }
}

/** The text of a string or template literal; undefined for any other expression. */
function plainText(node: Node): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined
  if (node.type !== 'TemplateLiteral') return undefined
  return node.quasis.map((quasi) => quasi.value.cooked ?? quasi.value.raw).join(' ')
}

function textVisitor(file: SourceFile, { texts }: Collected): VisitorObject {
  const add = (node: Node): void => {
    const text = plainText(node)
    if (text !== undefined) texts.push({ text, line: file.lineAt(node.start) })
  }
  return { Literal: add, TemplateLiteral: add }
}

function functionVisitor(file: SourceFile, collected: Collected): VisitorObject {
  const { functions, given, groups, done } = collected
  const measure = (node: Node, ownName: string | undefined): void => {
    if (groups.has(node)) return
    const line = file.lineAt(node.start)
    const lineCount = file.lineAt(node.end) - line + 1
    functions.push({ name: ownName ?? given.get(node) ?? '(anonymous)', line, lineCount })
  }
  const name = (key: Node, value: Node | null): void => {
    const text = key.type === 'Identifier' ? key.name : plainText(key)
    if (value !== null && text !== undefined) given.set(value, text)
  }
  return {
    VariableDeclarator(node) {
      name(node.id, node.init)
      if (node.id.type === 'Identifier') done.add(node.id)
    },
    Property(node) {
      name(node.key, node.value)
      if (!node.computed && !node.shorthand) done.add(node.key)
    },
    MethodDefinition(node) {
      name(node.key, node.value)
      if (!node.computed) done.add(node.key)
    },
    FunctionDeclaration(node) {
      measure(node, node.id?.name)
    },
    FunctionExpression(node) {
      measure(node, node.id?.name)
    },
    ArrowFunctionExpression(node) {
      measure(node, undefined)
    },
  }
}
