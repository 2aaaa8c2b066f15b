/**
 * Makes everything that follows from proto/: TypeScript in src/gen with strict decoding, the
 * kernel's error reasons, and the descriptor set for reflection. Every mode lints, checks for
 * breaking changes against proto/baseline.binpb and generates into a temporary folder; a line of
 * more than 100 columns is refused.
 *
 *   node packages/proto/generate.ts                  formats proto/ and writes what differs
 *   node packages/proto/generate.ts --check          writes nothing; exit code 1 on a difference
 *   node packages/proto/generate.ts --move-baseline  also makes the present contract the baseline,
 *                                                    which only a recorded decision may do
 */
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as os from 'node:os'
import * as path from 'node:path'
import {
  assertFlat,
  countDecoders,
  type DescriptorImage,
  errorReasons,
} from './descriptor-image.ts'
import { makeDecodingStrict } from './strict-decoding.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const PROTO = path.join(ROOT, 'proto')
const BASELINE = path.join(PROTO, 'baseline.binpb')
const BIN = path.join(ROOT, 'node_modules/.bin')

/** Where generated things belong, below the root; a folder is owned whole. */
const TARGETS = [
  'packages/proto/src/gen',
  'packages/proto/descriptors.binpb',
  'packages/kernel/src/error-reason.ts',
] as const

/** Width of a line of the house; the formatter breaks no comment, so people do. */
const COLUMNS_MAX = 100

/** Bound on one buf command; each takes about a second. */
const BUF_TIMEOUT_MS = 120_000

function buf(...args: readonly string[]): void {
  const result = spawnSync(path.join(BIN, 'buf'), args, {
    cwd: PROTO,
    env: { ...process.env, PATH: `${BIN}${path.delimiter}${process.env['PATH'] ?? ''}` },
    stdio: 'inherit',
    timeout: BUF_TIMEOUT_MS,
  })
  if (result.status !== 0) {
    throw new Error(`buf ${args.join(' ')} failed.`, { cause: result.error })
  }
}

/** Writes everything below `outRoot` as it belongs below the root. */
function generateInto(outRoot: string): void {
  const imageFile = path.join(outRoot, 'image.json')
  buf('build', '--exclude-source-info', '-o', imageFile)
  const image = JSON.parse(fs.readFileSync(imageFile, 'utf8')) as DescriptorImage
  fs.rmSync(imageFile)
  assertFlat(image)

  // The plugin's out path climbs out of proto/, so the base folder stands in for it.
  const base = path.join(outRoot, 'proto')
  buf('generate', '--include-imports', '--output', base)
  editDecoders(path.join(outRoot, TARGETS[0]), image)

  const descriptors = path.join(outRoot, TARGETS[1])
  buf('build', '--exclude-source-info', '--as-file-descriptor-set', '-o', descriptors)

  const reasons = path.join(outRoot, TARGETS[2])
  fs.mkdirSync(path.dirname(reasons), { recursive: true })
  fs.writeFileSync(reasons, errorReasonSource(errorReasons(image)))
}

function editDecoders(genFolder: string, image: DescriptorImage): void {
  for (const [proto, counts] of countDecoders(image)) {
    const file = path.join(genFolder, proto.replace(/\.proto$/, '.ts'))
    if (!fs.existsSync(file)) throw new Error(`${proto} was not generated.`)
    fs.writeFileSync(file, makeDecodingStrict(proto, fs.readFileSync(file, 'utf8'), counts))
  }
}

function errorReasonSource(reasons: readonly string[]): string {
  return [
    '// Generated from proto/holdfast/type/v1/error_reason.proto by `npm run gen`; do not edit.',
    '',
    "/** The closed set of reasons, in the order of the wire's numbers. */",
    'export const ERROR_REASONS = [',
    ...reasons.map((reason) => `  '${reason}',`),
    '] as const',
    '',
    "/** Why a call failed, the same names as the wire's enum. */",
    'export type ErrorReason = (typeof ERROR_REASONS)[number]',
    '',
  ].join('\n')
}

function filesBelow(target: string): readonly string[] {
  if (!fs.existsSync(target)) return []
  if (fs.statSync(target).isFile()) return ['']
  const entries = fs.readdirSync(target, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(target, path.join(entry.parentPath, entry.name)))
}

/** Places in our own protos with a line that is too wide, each with its width. */
function wideLines(): readonly string[] {
  const folder = path.join(PROTO, 'holdfast')
  return filesBelow(folder).flatMap((name) => {
    const lines = fs.readFileSync(path.join(folder, name), 'utf8').split('\n')
    const place = path.relative(ROOT, path.join(folder, name))
    return lines.flatMap((text, index) => {
      const columns = Array.from(text).length
      return columns > COLUMNS_MAX ? [`${place}:${index + 1} has ${columns}`] : []
    })
  })
}

/** Files below the root that differ from the fresh ones, are missing, or are there too much. */
function differences(freshRoot: string): readonly string[] {
  return TARGETS.flatMap((target) => {
    const fresh = path.join(freshRoot, target)
    const present = path.join(ROOT, target)
    const names = new Set([...filesBelow(fresh), ...filesBelow(present)])
    return [...names]
      .filter((name) => !sameFile(path.join(fresh, name), path.join(present, name)))
      .map((name) => path.join(target, name))
  }).toSorted()
}

function sameFile(left: string, right: string): boolean {
  if (!fs.existsSync(left) || !fs.existsSync(right)) return false
  return fs.readFileSync(left).equals(fs.readFileSync(right))
}

/** Makes the files that differ equal to the fresh ones. */
function take(freshRoot: string, names: readonly string[]): void {
  for (const name of names) {
    const fresh = path.join(freshRoot, name)
    const present = path.join(ROOT, name)
    if (!fs.existsSync(fresh)) {
      fs.rmSync(present)
      continue
    }
    fs.mkdirSync(path.dirname(present), { recursive: true })
    fs.copyFileSync(fresh, present)
  }
}

function main(args: readonly string[]): number {
  const check = args.includes('--check')
  const moveBaseline = args.includes('--move-baseline')
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'holdfast-gen-'))
  try {
    buf('format', '--path', 'holdfast', ...(check ? ['--diff', '--exit-code'] : ['--write']))
    const wide = wideLines()
    if (wide.length > 0) {
      console.error(`Lines of protos have at most ${COLUMNS_MAX} columns. Break by hand:`)
      for (const line of wide) console.error(`  ${line}`)
      return 1
    }
    buf('lint')
    if (moveBaseline) buf('build', '--exclude-source-info', '-o', BASELINE)
    buf('breaking', '--path', 'holdfast', '--against', BASELINE)
    generateInto(scratch)
    const changed = differences(scratch)
    if (!check) take(scratch, changed)
    for (const name of changed) console.log(check ? `differs: ${name}` : `written: ${name}`)
    if (!check || changed.length === 0) return 0
    console.error(
      'Generated files are not those of proto/. Run `npm run gen` and commit the result.',
    )
    return 1
  } finally {
    fs.rmSync(scratch, { recursive: true, force: true })
  }
}

process.exitCode = main(process.argv.slice(2))
