import type { Finding, SourceFile } from './source.ts'

/** Written in pieces, so that this file does not mention what it looks for. */
const HOSTS = [
  ['registry', 'npmjs'],
  ['registry', 'yarnpkg'],
  ['registry', 'npmmirror'],
  ['npm', 'pkg', 'github'],
  ['proxy', 'golang', 'org'],
  ['sum', 'golang', 'org'],
  ['goproxy', ''],
  ['pypi', 'org'],
  ['files', 'pythonhosted'],
  ['static', 'crates', 'io'],
].map((parts) => parts.join('.'))

const MACHINE_PATH = new RegExp(
  `(?<![\\w.~/-])/(?:${['work', 'root', 'home', 'Users', 'workspace'].join('|')})/[\\w.-]`,
)

/** Nothing depends on where it was installed from or on whose machine it stands. */
export function checkPlaces(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const findings: Finding[] = []
    file.text.split('\n').forEach((text, index) => {
      const host = HOSTS.find((one) => text.includes(one))
      const path = file.path === 'pnpm-lock.yaml' ? undefined : MACHINE_PATH.exec(text)?.[0]
      const subject = host ?? path
      if (subject === undefined) return
      const message =
        host === undefined
          ? `${subject}… is a path of one machine`
          : `${subject} is a registry host`
      findings.push({ path: file.path, line: index + 1, subject, message })
    })
    return findings
  })
}
