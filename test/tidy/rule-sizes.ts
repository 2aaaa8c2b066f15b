import { factsOf } from './facts.ts'
import { isCode, isGenerated, isVendored } from './source.ts'
import type { Finding, SourceFile } from './source.ts'

/** A function that does not fit on one screen does more than one thing. */
const FUNCTION_LINES_MAX = 70

/** A file longer than this holds more than one reason to change. */
const FILE_LINES_MAX = 400

/** Two files side by side fit on one screen. */
const LINE_COLUMNS_MAX = 100

/** Sizes of functions, files and lines. */
export function checkSizes(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    if (isGenerated(file.path) || isVendored(file.path)) return []
    if (isCode(file.path)) return [...functionFindings(file), ...textFindings(file)]
    return /\.(sql|proto|sh)$/.test(file.path) ? textFindings(file) : []
  })
}

function functionFindings(file: SourceFile): Finding[] {
  return factsOf(file)
    .functions.filter((one) => one.lineCount > FUNCTION_LINES_MAX)
    .map((one) => ({
      path: file.path,
      line: one.line,
      subject: one.name,
      message: `${one.name} has ${one.lineCount} lines, at most ${FUNCTION_LINES_MAX}`,
    }))
}

function textFindings(file: SourceFile): Finding[] {
  const lines = file.text.split('\n')
  const findings: Finding[] = []
  const lineCount = lines.at(-1) === '' ? lines.length - 1 : lines.length
  // A proto file is one service with all its messages, however many those are.
  if (lineCount > FILE_LINES_MAX && !file.path.endsWith('.proto')) {
    const message = `${lineCount} lines, at most ${FILE_LINES_MAX}`
    findings.push({ path: file.path, line: 1, subject: 'file', message })
  }
  lines.forEach((text, index) => {
    const columns = text.length <= LINE_COLUMNS_MAX ? text.length : Array.from(text).length
    if (columns <= LINE_COLUMNS_MAX) return
    const message = `${columns} columns, at most ${LINE_COLUMNS_MAX}`
    findings.push({ path: file.path, line: index + 1, subject: 'line', message })
  })
  return findings
}
