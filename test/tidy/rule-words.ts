import { factsOf } from './facts.ts'
import type { NameUse } from './facts.ts'
import { isCode, isGenerated, isTest, isVendored } from './source.ts'
import type { Finding, SourceFile } from './source.ts'

interface Ban {
  readonly what: string
  readonly instead: string
  readonly allowedIn: RegExp
  readonly hits: (use: NameUse) => boolean
}

/** What is about time itself: the clock's home, its loops and the tests' clock. */
const TIME_KEEPERS = /^packages\/(kernel|runtime|testkit)\/|^test\/[^/]+\.ts$/

/** Entry points, what starts and ends processes, and what tests them. */
const PROCESS_KEEPERS = new RegExp(
  [
    '(^|/)src/(main|register)[^/]*\\.ts$',
    '^packages/(runtime|backing|testkit)/',
    '^(deploy|test)/',
    '^packages/[^/]+/[^/]+\\.ts$',
    '^vitest\\.config\\.ts$',
    '\\.test\\.ts$',
    '^(packages|services)/[^/]+/test/',
  ].join('|'),
)

const TIMERS = /^(globalThis\.)?(setTimeout|setInterval)$/

const BANS: readonly Ban[] = [
  {
    what: 'Date.now',
    instead: 'use the Clock that was injected',
    allowedIn: TIME_KEEPERS,
    hits: (use) => use.name === 'Date.now' || use.name === 'performance.now',
  },
  {
    what: 'new Date() without an argument',
    instead: 'use clock.now()',
    allowedIn: TIME_KEEPERS,
    hits: (use) => use.kind === 'new' && use.name === 'Date' && use.argumentCount === 0,
  },
  {
    what: 'a timer',
    instead: 'use clock.sleep, or a loop of the runtime',
    allowedIn: TIME_KEEPERS,
    hits: (use) => TIMERS.test(use.name),
  },
  {
    what: 'process.exit',
    instead: 'return, and let main end the process',
    allowedIn:
      /(^|\/)main[^/]*\.ts$|^deploy\/|^test\/[^/]+\.ts$|^packages\/(runtime\/|[^/]+\/[^/]+\.ts$)/,
    hits: (use) => use.name === 'process.exit',
  },
  {
    what: 'process',
    instead: 'only main*.ts sees the process; take what you need as an argument',
    allowedIn: PROCESS_KEEPERS,
    hits: (use) => /^(globalThis\.)?process(\.|$)/.test(use.name) && use.name !== 'process.exit',
  },
  {
    what: 'console',
    instead: 'use the log of packages/telemetry',
    allowedIn: /^deploy\/|^test\/[^/]+\.ts$|^packages\/[^/]+\/[^/]+\.ts$/,
    hits: (use) => use.name.startsWith('console.'),
  },
]

/** A fixed wait in a test is too short or too long; a clock that tests move does not wait. */
const FIXED_WAIT = /^(sleep|delay|wait|systemClock\.sleep)$/
const REAL_CLOCK_WAIT = /^(clock|\w+\.clock)\.sleep$/

const LISTEN_SQL = /^\s*(LISTEN|UNLISTEN|NOTIFY)\s+[a-z_"]|\bpg_notify\s*\(/
const STAR_SQL = /\b(select|returning)\s+([a-z_]+\.)?\*/i

/** Words that have a better one in this house. */
export function checkWords(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => [...codeFindings(file), ...textFindings(file)])
}

function codeFindings(file: SourceFile): Finding[] {
  if (!isCode(file.path)) return []
  const findings: Finding[] = []
  const { names, texts, imports } = factsOf(file)
  const realClock = names.some((use) => use.name.startsWith('systemClock'))
  const waits = (name: string): boolean =>
    FIXED_WAIT.test(name) || (realClock && REAL_CLOCK_WAIT.test(name))
  const add = (line: number, subject: string, instead: string): void => {
    findings.push({ path: file.path, line, subject, message: `${subject} is banned: ${instead}` })
  }
  for (const use of names) {
    const ban = BANS.find((one) => one.hits(use) && !one.allowedIn.test(file.path))
    if (ban !== undefined) add(use.line, ban.what, ban.instead)
    if (isTest(file.path) && use.kind === 'call' && waits(use.name)) {
      add(use.line, 'a fixed wait in a test', 'use eventually()')
    }
  }
  for (const use of imports) {
    if (use.specifier.startsWith('node:timers') && !TIME_KEEPERS.test(file.path)) {
      add(use.line, 'a timer', 'use clock.sleep, or a loop of the runtime')
    }
    if (use.specifier === 'node:process' && !PROCESS_KEEPERS.test(file.path)) {
      add(use.line, 'process', 'only main*.ts sees the process')
    }
  }
  for (const { text, line } of texts) addSqlFindings(text, line, add)
  return findings
}

type Add = (line: number, subject: string, instead: string) => void

function addSqlFindings(text: string, line: number, add: Add): void {
  if (STAR_SQL.test(text)) add(line, 'a star for columns', 'list the columns')
  if (LISTEN_SQL.test(text)) {
    add(
      line,
      'a channel of the database',
      'poll, and poke by a NATS hint; it locks the whole instance',
    )
  }
}

/** Words that no text may carry into the main line. Split, so that this file may name them. */
const UNFINISHED = new RegExp(`\\b(${['FIX', 'ME'].join('')}|${['X', 'XX'].join('')})\\b`)

function textFindings(file: SourceFile): Finding[] {
  if (isGenerated(file.path) || isVendored(file.path)) return []
  const findings: Finding[] = []
  file.text.split('\n').forEach((text, index) => {
    const line = index + 1
    const add: Add = (at, subject, instead) => {
      const message = `${subject} is banned: ${instead}`
      findings.push({ path: file.path, line: at, subject, message })
    }
    if (UNFINISHED.test(text)) add(line, 'an unfinished mark', 'finish it, or open an issue')
    if (file.path.endsWith('.sql')) addSqlFindings(text, line, add)
  })
  return findings
}
