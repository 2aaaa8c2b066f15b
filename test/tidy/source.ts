import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { parseSync } from 'oxc-parser'
import type { ParseResult } from 'oxc-parser'

/** One text file of the tree, parsed at most once and only when a rule asks for it. */
export class SourceFile {
  /** Path from the root with forward slashes, such as `packages/kernel/src/money.ts`. */
  readonly path: string
  readonly text: string
  #parsed: ParseResult | undefined
  #lineStarts: number[] | undefined

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
  }

  /** The syntax tree; throws an Error naming the file when it does not parse. */
  parsed(): ParseResult {
    this.#parsed ??= parseOrThrow(this.path, this.text)
    return this.#parsed
  }

  /** One-based line of a character offset. */
  lineAt(offset: number): number {
    this.#lineStarts ??= lineStartsOf(this.text)
    let low = 0
    let high = this.#lineStarts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.#lineStarts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

/** One broken rule. `subject` is what an exception may name, such as a function's name. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly subject: string
  readonly message: string
}

/** A rule of the house: pure, over the files it is given. */
export type Rule = (files: readonly SourceFile[]) => Finding[]

function parseOrThrow(path: string, text: string): ParseResult {
  const result = parseSync(path, text)
  const [error] = result.errors
  if (error !== undefined) throw new Error(`${path} does not parse: ${error.message}`)
  return result
}

function lineStartsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

/** Folders that hold no source: installed, built, or made at run time. */
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage', '.git', '.holdfast'])

const TEXT_NAME = /\.(ts|mjs|js|json|sql|proto|md|ya?ml|sh|toml|mod|tpl)$|^(run|Dockerfile.*)$/

/** Paths of all files under `root`, sorted. Reads the disk; skips what is installed or built. */
export function listTree(root: string): string[] {
  const paths: string[] = []
  const pending = ['']
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) {
        if (!SKIPPED_FOLDERS.has(entry.name)) pending.push(path)
      } else if (entry.isFile()) {
        paths.push(path)
      }
    }
  }
  return paths.toSorted()
}

/** The text files among `paths`, read from `root`. */
export function readFiles(root: string, paths: readonly string[]): SourceFile[] {
  return paths
    .filter((path) => TEXT_NAME.test(posix.basename(path)))
    .map((path) => new SourceFile(path, readFileSync(join(root, path), 'utf8')))
}

/** True for code written by a generator, which answers to its generator and not to these rules. */
export function isGenerated(path: string): boolean {
  return (
    /(^|\/)(generated|gen)\//.test(path) ||
    path.startsWith('packages/proto/src/gen/') ||
    path === 'pnpm-lock.yaml'
  )
}

/** True for protos and other texts copied from elsewhere, which keep their own form. */
export function isVendored(path: string): boolean {
  return /^proto\/(google|grpc)\//.test(path)
}

/** True for TypeScript or JavaScript that people of this project write. */
export function isCode(path: string): boolean {
  return /\.(ts|mjs)$/.test(path) && !isGenerated(path)
}

/** True for test code: beside its subject, in a package's `test/`, or in the tree's own `test/`. */
export function isTest(path: string): boolean {
  const folder = /^((packages|services)\/[^/]+\/|deploy\/dev\/)?test\//
  return path.endsWith('.test.ts') || folder.test(path)
}

/** True for a tool of one package that people run by hand or through npm. */
export function isTool(path: string): boolean {
  return /^(packages|services)\/[^/]+\/[^/]+\.ts$/.test(path)
}

/** The package a path belongs to: `packages/pg`, `services/cart`, `deploy/dev`, `test`, or ''. */
export function homeOf(path: string): string {
  const match = /^((?:packages|services)\/[^/]+|deploy\/dev|test)\//.exec(path)
  return match?.[1] ?? ''
}
