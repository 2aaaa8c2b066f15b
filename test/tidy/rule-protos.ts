import type { Finding, SourceFile } from './source.ts'

const OURS = /^proto\/holdfast\/.+\.proto$/
const MESSAGE = /^\s*message\s+(\w+)\s*\{/
const FIELD = /^\s*(?:repeated\s+|optional\s+)?[\w.]+\s+(\w+)\s*=\s*\d+/
const FIRST_WORDS = /^\s*\/\/\s*(Required|Optional|Output only)\./

/** The comment of each field of a request or response says who sets it. */
export function checkProtos(files: readonly SourceFile[]): Finding[] {
  return files.filter((file) => OURS.test(file.path)).flatMap(fieldFindings)
}

function fieldFindings(file: SourceFile): Finding[] {
  const findings: Finding[] = []
  let message: string | undefined
  let depth = 0
  let comment: string[] = []
  file.text.split('\n').forEach((text, index) => {
    const code = text.replace(/\/\/.*$/, '')
    const opened = MESSAGE.exec(code)?.[1]
    if (opened !== undefined && depth === 0) message = opened
    const field = FIELD.exec(code)?.[1]
    const counts = message !== undefined && /(Request|Response)$/.test(message)
    if (counts && field !== undefined && depth > 0 && !FIRST_WORDS.test(comment[0] ?? '')) {
      const subject = `${message ?? ''}.${field}`
      const advice = 'its comment begins with Required., Optional. or Output only.'
      findings.push({ path: file.path, line: index + 1, subject, message: `${subject}: ${advice}` })
    }
    depth += count(code, '{') - count(code, '}')
    if (depth === 0) message = undefined
    comment = /^\s*\/\//.test(text) ? [...comment, text] : []
  })
  return findings
}

function count(text: string, character: string): number {
  return text.split(character).length - 1
}
