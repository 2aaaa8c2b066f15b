import type { Finding, SourceFile } from './source.ts'

/** What a page-top comment speaks of, by the word with which it begins to. */
const PARTS = ['Promise', 'Traps'] as const

/** The door of a package begins with a comment that tells its promise and its traps. */
export function checkPages(files: readonly SourceFile[]): Finding[] {
  return files
    .filter((file) => /^packages\/[^/]+\/src\/index\.ts$/.test(file.path))
    .flatMap((file) => {
      const page = /^\/\*\*\n(?: \*(?: .*)?\n)+ \*\/\n/.exec(file.text)?.[0] ?? ''
      return PARTS.filter((part) => !new RegExp(`^ \\* ${part}\\b`, 'm').test(page)).map(
        (part) => ({
          path: file.path,
          line: 1,
          subject: part,
          message: `The page-top comment has no paragraph that begins with ${part}`,
        }),
      )
    })
}
