import { posix } from 'node:path'
import { factsOf } from './facts.ts'
import { isTest } from './source.ts'
import type { Finding, Rule, SourceFile } from './source.ts'

const LINK = /\]\(([^)\s]+)\)/g
const CODE = /`([^`\n]+)`/g

/** Something of this tree named in code style; what has a blank, a mark or a gap is a pattern. */
const NAMED_PATH = /^(?:packages|services|proto|deploy|test|docs|src)\/[\w./-]*$/

const INVARIANTS = 'docs/invariants.md'

/**
 * What the documents name exists: files and folders (`paths` are all files from the root), and for
 * each invariant tests that carry its number. Each RPC is named on its service's page, and what
 * people run in CONTRIBUTING.md.
 */
export function checkDocuments(paths: readonly string[]): Rule {
  const known = withFolders(paths)
  return (files) => [
    ...files.filter(({ path }) => path.endsWith('.md')).flatMap((one) => namedPaths(one, known)),
    ...rpcFindings(files),
    ...commandFindings(files),
    ...invariantFindings(files),
  ]
}

function withFolders(paths: readonly string[]): ReadonlySet<string> {
  const known = new Set<string>(['.'])
  for (const path of paths) {
    for (let one = path; one !== '.'; one = posix.dirname(one)) known.add(one)
  }
  return known
}

function namedPaths(file: SourceFile, known: ReadonlySet<string>): Finding[] {
  const findings: Finding[] = []
  const folder = posix.dirname(file.path)
  const exists = (path: string) => known.has(posix.normalize(path).replace(/\/$/, ''))
  file.text.split('\n').forEach((text, index) => {
    const add = (subject: string) => {
      const message = `${subject} does not exist`
      findings.push({ path: file.path, line: index + 1, subject, message })
    }
    for (const [, target = ''] of text.matchAll(LINK)) {
      const [path = ''] = target.split('#')
      if (path === '' || /^[a-z]+:/.test(path)) continue
      if (!exists(posix.join(folder, path))) add(target)
    }
    for (const [, name = ''] of text.matchAll(CODE)) {
      // A page of the root that says `src/…` speaks of any package.
      if (!NAMED_PATH.test(name) || (folder === '.' && name.startsWith('src/'))) continue
      if (!exists(name) && !exists(posix.join(folder, name))) add(name)
    }
  })
  return findings
}

/** Each RPC is named on the page of its service. */
function rpcFindings(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const service = /^proto\/holdfast\/(\w+)\/v1\//.exec(file.path)?.[1]
    if (service === undefined) return []
    const readme = `services/${service}/README.md`
    const page = files.find(({ path }) => path === readme)?.text ?? ''
    return [...file.text.matchAll(/^\s*rpc\s+(\w+)/gm)].flatMap(([, subject = '']) => {
      if (new RegExp(`\\b${subject}\\b`).test(page)) return []
      return [{ path: readme, line: 1, subject, message: `the RPC ${subject} is not named` }]
    })
  })
}

/** Every script of the root's manifest and every suite of `npm test` has a line for people. */
function commandFindings(files: readonly SourceFile[]): Finding[] {
  const textOf = (path: string) => files.find((one) => one.path === path)?.text ?? ''
  const { scripts = {} } = JSON.parse(textOf('package.json') || '{}') as {
    readonly scripts?: Readonly<Record<string, string>>
  }
  const suites = /SUITES = \[([^\]]*)\]/.exec(textOf('test/run.ts'))?.[1] ?? ''
  const wanted = [
    ...Object.keys(scripts).map((name) => new RegExp(`npm (?:run )?${name}\\b`)),
    // The checks have a script of their own.
    ...[...suites.matchAll(/'(\w+)'/g)]
      .filter(([, suite]) => suite !== 'check')
      .map(([, suite]) => new RegExp(`npm test -- ${suite}\\b`)),
  ]
  const page = 'CONTRIBUTING.md'
  return wanted.flatMap(({ source }) => {
    if (new RegExp(source).test(textOf(page))) return []
    const subject = source.replace('(?:run )?', 'run ').replace('\\b', '')
    return [{ path: page, line: 1, subject, message: `the command ${subject} is not named` }]
  })
}

/** Each invariant of the page has a row of links to files whose tests carry its number. */
function invariantFindings(files: readonly SourceFile[]): Finding[] {
  const page = files.find(({ path }) => path === INVARIANTS)
  if (page === undefined) return []
  const lines = page.text.split('\n')
  const stated = new Set(lines.flatMap((line) => /^\| (I\d+) /.exec(line)?.[1] ?? []))
  return [...stated].flatMap((subject) => {
    const proofs = lines.flatMap((text, index) => {
      const links = text.startsWith(`| ${subject} `) ? [...text.matchAll(LINK)] : []
      return links.map(([, target = '']) => ({ target, line: index + 1 }))
    })
    if (proofs.length === 0) {
      return [{ path: INVARIANTS, line: 1, subject, message: `no test of ${subject} is named` }]
    }
    return proofs.flatMap(({ target, line }) => {
      const path = posix.join(posix.dirname(INVARIANTS), target)
      const file = files.find((one) => one.path === path)
      if (file !== undefined && isTest(path) && carries(file, subject)) return []
      return [{ path: INVARIANTS, line, subject, message: `${path} has no test of ${subject}` }]
    })
  })
}

/** True when a test's name begins with the number, alone, in a row or in a range of numbers. */
function carries(file: SourceFile, invariant: string): boolean {
  const number = Number(invariant.slice(1))
  return factsOf(file).texts.some(({ text }) => {
    const [head = ''] = /^I\d+(?:(?:,| to)? I\d+)*(?=:)/.exec(text) ?? []
    const numbers = [...head.matchAll(/\d+/g)].map(Number)
    const [first = 0, last = 0] = numbers
    return head.includes(' to ') ? first <= number && number <= last : numbers.includes(number)
  })
}
