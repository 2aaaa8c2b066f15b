import type { Finding, SourceFile } from './source.ts'

const WORKSPACE_PATH = 'pnpm-workspace.yaml'
const MANIFEST = /^(packages\/[^/]+\/|services\/[^/]+\/|deploy\/dev\/|test\/)?package\.json$/
const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/
const SECTIONS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const

/** One place, the catalog, says which exact version of a library this tree uses. */
export function checkManifests(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    if (file.path === WORKSPACE_PATH) return catalogFindings(file)
    return MANIFEST.test(file.path) ? manifestFindings(file) : []
  })
}

function catalogFindings(file: SourceFile): Finding[] {
  const findings: Finding[] = []
  let inside = false
  file.text.split('\n').forEach((text, index) => {
    if (/^\S/.test(text)) inside = text.startsWith('catalog:')
    const [, name, version] = /^\s+"?([@\w./-]+)"?:\s*"?([^"#\s]+)/.exec(text) ?? []
    if (!inside || name === undefined || version === undefined || EXACT.test(version)) return
    const message = `${name} is pinned to "${version}", not to one exact version`
    findings.push({ path: file.path, line: index + 1, subject: name, message })
  })
  return findings
}

function manifestFindings(file: SourceFile): Finding[] {
  const manifest = JSON.parse(file.text) as Partial<
    Record<(typeof SECTIONS)[number], Record<string, string>>
  >
  const findings: Finding[] = []
  for (const section of SECTIONS) {
    for (const [name, version] of Object.entries(manifest[section] ?? {})) {
      if (version === 'catalog:' || version === 'workspace:*') continue
      // The three builds of Node itself have one version and stand at the root alone.
      if (file.path === 'package.json' && name.startsWith('node-') && EXACT.test(version)) continue
      const message = `${name} is "${version}"; write "catalog:" and pin it in ${WORKSPACE_PATH}`
      findings.push({ path: file.path, line: 1, subject: name, message })
    }
  }
  return findings
}
