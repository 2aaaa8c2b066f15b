import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { MINUTE_MS } from '@holdfast/kernel'
import type { Environment } from '@holdfast/runtime'
import { type Report, withProgress } from './progress.ts'
import { runOrFail } from './run.ts'
import { type GoTool, TOOLS_FOLDER } from './tools.ts'

/** A cold build of the largest tool took 5 minutes on a busy two-core machine. */
const BUILD_TIMEOUT_MS = 25 * MINUTE_MS

/** Builds the tool from `deploy/tools` (verified by its go.sum) and puts it at `destination`. */
export async function goBuild(options: {
  readonly go: string
  readonly tool: GoTool
  readonly version: string
  readonly destination: string
  readonly environment: Environment
  readonly report: Report
}): Promise<void> {
  const { go, tool, version, destination, environment, report } = options
  await mkdir(path.dirname(destination), { recursive: true })
  // Renamed into place at the end: a build that is cut off leaves nothing that looks whole.
  const partial = `${destination}.${process.pid}.new`
  report(`Building ${tool.name} ${version} with Go, once; it takes ${tool.buildTakes}`)
  const build = () =>
    runOrFail(
      {
        command: go,
        args: ['build', '-trimpath', '-ldflags=-s -w', '-o', partial, tool.goPackage],
        cwd: TOOLS_FOLDER,
        env: { ...environment, CGO_ENABLED: '0', GOWORK: 'off' },
        timeoutMs: BUILD_TIMEOUT_MS,
      },
      `Building ${tool.name}`,
    )
  try {
    await withProgress({ what: `Building ${tool.name}`, report }, build)
    await rename(partial, destination)
  } finally {
    await rm(partial, { force: true })
  }
}
