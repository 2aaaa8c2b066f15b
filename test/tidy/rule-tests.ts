import { factsOf } from './facts.ts'
import { homeOf, isCode, isTest } from './source.ts'
import type { Finding, SourceFile } from './source.ts'

const NARROWED = /^(test|it|describe|suite)\b.*\.(skip|only|todo|fails|skipIf|runIf)\b/
const SKIPPING = /^(skip|(context|ctx|task|t)\.skip)$/
const NAMED = /^(test|it)(\.(each|for|concurrent|sequential))*$/

/** Tests are named once, all of them run, and they are called `test`. */
export function checkTests(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = []
  const seen = new Map<string, string>()
  for (const file of files) {
    if (!isCode(file.path) || !isTest(file.path)) continue
    for (const use of factsOf(file).names) {
      const add = (subject: string, message: string): void => {
        findings.push({ path: file.path, line: use.line, subject, message })
      }
      if (NARROWED.test(use.name)) add(use.name, `${use.name} switches a test off or narrows a run`)
      if (use.kind !== 'call') continue
      if (SKIPPING.test(use.name)) add(use.name, `${use.name}() switches a test off`)
      if (/^it\b/.test(use.name)) add(use.name, 'tests are called test')
      if (!NAMED.test(use.name) || use.firstText === undefined) continue
      const title = `${homeOf(file.path)}: ${use.firstText}`
      const earlier = seen.get(title)
      if (earlier !== undefined) add(use.firstText, `"${use.firstText}" also stands in ${earlier}`)
      seen.set(title, file.path)
    }
  }
  return findings
}
