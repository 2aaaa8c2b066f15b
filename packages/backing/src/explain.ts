/** How many lines of a complaint are shown: a bad configuration names each setting on its own. */
const COMPLAINT_LINES_MAX = 6

/** A cut keeps one line readable in a terminal. */
const LINE_CHARACTERS_MAX = 300

/**
 * What a log says about why its program ended: the lines behind `… cannot start:`, else the last
 * one about an error, else the last one. Empty when the log is.
 */
export function explainLog(log: string): string {
  const lines = log
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const words = lines.filter((line) => !line.startsWith('{'))
  const complaint = words.findLastIndex((line) => line.endsWith('cannot start:'))
  if (complaint >= 0) return join(words.slice(complaint + 1, complaint + 1 + COMPLAINT_LINES_MAX))
  const wrong = words.findLast((line) => /fatal|error|panic/i.test(line))
  const last = wrong ?? words.at(-1) ?? lines.at(-1)
  return last === undefined ? '' : join([last])
}

function join(lines: readonly string[]): string {
  return lines
    .map((line) => line.slice(0, LINE_CHARACTERS_MAX))
    .map((line) => (/[.!?]$/.test(line) ? line : `${line}.`))
    .join(' ')
}
