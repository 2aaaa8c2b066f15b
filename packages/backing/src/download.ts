import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { MINUTE_MS, SECOND_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { type Report, withProgress } from './progress.ts'
import { runOrFail } from './run.ts'
import { SetupError } from './setup-error.ts'
import type { GoTool, Release } from './tools.ts'

/** Without a network the answer must not be waited for: Go builds the same program. */
const ANSWER_TIMEOUT_MS = 5 * SECOND_MS
const DOWNLOAD_TIMEOUT_MS = 5 * MINUTE_MS
const UNPACK_TIMEOUT_MS = MINUTE_MS

/**
 * Downloads the vendor's release of the tool, checks its SHA-256 and puts the program at
 * `destination`. Fails within 5 s when the vendor cannot be reached; leaves nothing partial.
 */
export async function downloadRelease(options: {
  readonly tool: Pick<GoTool, 'name' | 'release'>
  readonly version: string
  readonly destination: string
  readonly report: Report
}): Promise<void> {
  const { tool, version, destination, report } = options
  const release = tool.release({ version, system: process.platform, processor: goProcessor() })
  await mkdir(path.dirname(destination), { recursive: true })
  const folder = await mkdtemp(`${path.dirname(destination)}/download-`)
  const archive = path.join(folder, 'release.tar.gz')
  const what = `Downloading ${tool.name} ${version}`
  try {
    await withProgress({ what, report }, () => fetchFile(release.url, archive))
    await requireHash(release, archive)
    await runOrFail(
      {
        command: 'tar',
        args: ['-xzf', archive, '-C', folder, release.member],
        timeoutMs: UNPACK_TIMEOUT_MS,
      },
      `Unpacking ${tool.name}`,
    )
    const program = path.join(folder, release.member)
    await chmod(program, 0o755)
    await rename(program, destination)
    report(`${what}: done`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** This machine's processor by Go's name. */
function goProcessor(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch
}

async function requireHash(release: Release, archive: string): Promise<void> {
  const wanted = release.sha256 ?? (await listedHash(release))
  const hash = createHash('sha256')
  await pipeline(createReadStream(archive), hash)
  if (hash.digest('hex') === wanted) return
  throw new SetupError(
    `${release.url} does not have the SHA-256 that was expected; it is not used.`,
  )
}

async function listedHash({ url, sumsUrl }: Release): Promise<string> {
  const wanted = path.posix.basename(new URL(url).pathname)
  if (sumsUrl !== undefined) {
    const sums = await (await get(sumsUrl)).text()
    const found = hashIn(sums, wanted)
    if (found !== undefined) return found
  }
  throw new SetupError(`No SHA-256 is known for ${wanted}.`)
}

/** The hash of `file` in the output of sha256sum: one `<hash>  <file>` a line. */
export function hashIn(sums: string, file: string): string | undefined {
  for (const line of sums.split('\n')) {
    const [hash, name] = line.trim().split(/\s+\*?/)
    if (name === file && /^[0-9a-f]{64}$/.test(hash ?? '')) return hash
  }
  return undefined
}

async function fetchFile(url: string, file: string): Promise<void> {
  const { body } = await get(url)
  if (body === null) throw new SetupError(`${url} answered without content.`)
  await pipeline(Readable.fromWeb(body), createWriteStream(file), {
    signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS),
  })
}

/** The answer to a GET, once its head is there; the body may take longer. */
async function get(url: string): Promise<Response> {
  const answered = new AbortController()
  const tooLate = new AbortController()
  void systemClock.sleep(ANSWER_TIMEOUT_MS, answered.signal).then(() => {
    if (!answered.signal.aborted) tooLate.abort()
  })
  try {
    const response = await fetch(url, { signal: tooLate.signal })
    if (response.status !== 200) throw new SetupError(`${url} answered ${response.status}.`)
    return response
  } catch (failure) {
    if (failure instanceof SetupError) throw failure
    throw new SetupError(`${new URL(url).host} cannot be reached.`, { cause: failure })
  } finally {
    answered.abort()
  }
}
