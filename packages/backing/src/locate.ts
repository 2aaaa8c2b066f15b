import { accessSync, constants, statSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import type { Environment } from '@holdfast/runtime'
import { choose, type FoundProgram, type Source } from './choice.ts'
import { downloadRelease } from './download.ts'
import { goBuild } from './go-build.ts'
import type { Report } from './progress.ts'
import { run } from './run.ts'
import { describeFailure, SetupError } from './setup-error.ts'
import { type GoTool, type Tool, wantedVersion } from './tools.ts'
import { showVersion } from './version.ts'

/** A program to start, with where it came from. */
export interface LocatedProgram {
  readonly source: Exclude<Source, 'environment'>
  readonly path: string
  readonly argv0?: string | undefined
  readonly version: string
}

/** Longest wait for a program to print its version. */
const VERSION_TIMEOUT_MS = 10_000

/** Where built and downloaded programs are kept: HOLDFAST_CACHE_FOLDER or ~/.cache/holdfast. */
export function cacheFolder(environment: Environment): string {
  const given = environment['HOLDFAST_CACHE_FOLDER']
  if (given !== undefined && given !== '') return path.resolve(given)
  return path.join(homedir(), '.cache', 'holdfast')
}

/** All programs of the tool on PATH with their versions, in PATH's order by name. */
export async function findOnPath(tool: Tool, environment: Environment): Promise<FoundProgram[]> {
  const found: FoundProgram[] = []
  for (const { file, argv0 } of tool.programs) {
    const location = which(file, environment)
    if (location === undefined) continue
    const { output } = await run({
      command: location,
      args: ['--version'],
      timeoutMs: VERSION_TIMEOUT_MS,
      ...(argv0 === undefined ? {} : { argv0 }),
    })
    found.push({ path: location, version: tool.versionIn(output), argv0 })
  }
  return found
}

/** The first executable file of this name on PATH. */
export function which(file: string, environment: Environment): string | undefined {
  for (const folder of (environment['PATH'] ?? '').split(path.delimiter)) {
    const candidate = path.join(folder, file)
    if (folder !== '' && isProgram(candidate)) return candidate
  }
  return undefined
}

/** True for an executable file. */
export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/**
 * The program of a Go tool: from PATH, the cache folder, the vendor's release, or built here (which
 * takes minutes and shows progress). SetupError says what to install when all of these fail.
 */
export async function locateGoTool(
  tool: GoTool,
  { environment, report }: { readonly environment: Environment; readonly report: Report },
): Promise<LocatedProgram> {
  const version = wantedVersion(tool)
  const cached = path.join(cacheFolder(environment), `${tool.name}-${version}`, tool.name)
  const onPath = await findOnPath(tool, environment)
  const choice = choose({ onPath, cached: isProgram(cached) ? cached : undefined }, tool.minimum)
  if (choice.source === 'path') return fromPath(choice.program)
  if (choice.source === 'make') {
    sayTooOld({ tool, onPath, report })
    await make({ tool, version, destination: cached, environment, report })
    return { source: 'made', path: cached, version }
  }
  return { source: 'cache', path: cached, version }
}

/** A program on PATH as located. */
export function fromPath({ path: location, argv0, version }: FoundProgram): LocatedProgram {
  const shown = version === undefined ? 'unknown' : showVersion(version)
  return { source: 'path', path: location, argv0, version: shown }
}

/** Says why the programs on PATH are not taken. */
export function sayTooOld(options: {
  readonly tool: Tool
  readonly onPath: readonly FoundProgram[]
  readonly report: Report
}): void {
  for (const { path: location, version } of options.onPath) {
    const has = version === undefined ? 'prints no version' : `is ${showVersion(version)}`
    options.report(`${location} ${has}; ${showVersion(options.tool.minimum)} is needed`)
  }
}

interface Making {
  readonly tool: GoTool
  readonly version: string
  readonly destination: string
  readonly environment: Environment
  readonly report: Report
}

async function make(options: Making): Promise<void> {
  const { tool, environment, report } = options
  const failures: string[] = []
  if (environment['HOLDFAST_DOWNLOADS'] !== 'off') {
    try {
      return await downloadRelease(options)
    } catch (failure) {
      failures.push(`its download failed (${describeFailure(failure).replace(/\.$/, '')})`)
      report(`${tool.name} cannot be downloaded: ${describeFailure(failure)}`)
    }
  }
  const go = which('go', environment) ?? ['/usr/local/go/bin/go'].find(isProgram)
  if (go !== undefined) return goBuild({ ...options, go })
  failures.push('there is no Go to build it with')
  throw new SetupError(
    `${tool.name} is not on this machine: ${failures.join(', and ')}. Install ${tool.name} ` +
      `${showVersion(tool.minimum)} or newer, or Go 1.26 or newer, and start again.`,
  )
}
