// The only program here that runs on the Node that happens to be installed (18 or newer): it brings
// the dependencies, the project's own Node among them, and hands over to it. Plain JavaScript.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_MAJOR_MIN = 18
const PNPM = 'pnpm@12.21.0'
const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const NODE = join(ROOT, 'node_modules', '.bin', 'node')
const STAMP = join(ROOT, 'node_modules', '.holdfast-lockfile')

const PROGRAMS = {
  start: 'deploy/dev/src/main-start.ts',
  test: 'test/run.ts',
  check: 'test/check.ts',
  gen: 'packages/proto/generate.ts',
  bench: 'test/load/main.ts',
  chaos: 'test/chaos/main.ts',
  mutants: 'test/mutants/main.ts',
}

const PROGRESS_EVERY_MS = 5_000
const PARENT_EVERY_MS = 500
const OUTPUT_CHARACTERS_MAX = 20_000

// Whoever reads this may go first, as in `npm start | tee log`: that ends nothing here.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
try {
  await main()
} catch (failure) {
  process.stderr.write(`${failure.message}\n`)
  process.exit(1)
}

async function main() {
  const [command, ...rest] = process.argv.slice(2)
  const program = PROGRAMS[command]
  if (program === undefined) {
    throw new Error(`Say what to run: ${Object.keys(PROGRAMS).join(', ')}.`)
  }
  requireMachine()
  await installDependencies()
  if (!existsSync(NODE)) {
    throw new Error(`There is no packaged Node for ${process.platform} on ${process.arch}.`)
  }
  await handOver(program, rest)
}

function requireMachine() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < NODE_MAJOR_MIN) {
    throw new Error(
      `Node ${process.versions.node} is too old: install Node ${NODE_MAJOR_MIN} or newer.`,
    )
  }
  if (process.platform === 'win32') {
    throw new Error('Windows itself is not supported: run this inside WSL.')
  }
}

/** Installs what the lockfile says, unless exactly that is installed already. */
async function installDependencies() {
  const wanted = lockfileHash()
  const has = existsSync(STAMP) && existsSync(NODE) ? readFileSync(STAMP, 'utf8') : ''
  if (has === wanted) return
  const startedAt = process.hrtime.bigint()
  process.stdout.write('Installing dependencies\n')
  const ticking = setInterval(() => {
    process.stdout.write(`Installing dependencies: ${secondsSince(startedAt)} s\n`)
  }, PROGRESS_EVERY_MS)
  try {
    await runPnpm()
  } finally {
    clearInterval(ticking)
  }
  writeFileSync(STAMP, wanted)
  process.stdout.write(`Installed dependencies in ${secondsSince(startedAt)} s\n`)
}

function lockfileHash() {
  const hash = createHash('sha256')
  for (const name of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    hash.update(readFileSync(join(ROOT, name)))
  }
  return `${hash.digest('hex')} ${process.platform}-${process.arch}\n`
}

function secondsSince(startedAt) {
  return Number((process.hrtime.bigint() - startedAt) / 1_000_000_000n)
}

function runPnpm() {
  return new Promise((resolve, reject) => {
    let output = ''
    const child = spawn(
      'npx',
      ['-y', PNPM, 'install', '--frozen-lockfile', '--config.confirmModulesPurge=false'],
      { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const keep = (chunk) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARACTERS_MAX)
    }
    forwardSignals(child)
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (failure) => {
      reject(new Error(`npx cannot be run (${failure.message}): install npm 7 or newer.`))
    })
    child.once('close', (code, signal) => {
      if (code === 0) resolve(undefined)
      else if (signal !== null) process.exit(128 + constants.signals[signal])
      else reject(new Error(`${output.trimEnd()}\nInstalling dependencies failed (see above).`))
    })
  })
}

function forwardSignals(child) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => child.kill(signal))
  }
}

/** Runs the program on the project's Node; its signals and its exit are this process's. */
function handOver(program, rest) {
  if (!existsSync(join(ROOT, program))) throw new Error(`${program} is missing.`)
  return new Promise((_resolve, reject) => {
    // The channel carries nothing: its closing tells the program that this process was killed.
    const child = spawn(NODE, [join(ROOT, program), ...rest], {
      cwd: ROOT,
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    })
    forwardSignals(child)
    endWithNpm(() => child.kill('SIGTERM'))
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      process.exit(code === null ? 128 + constants.signals[signal] : code)
    })
  })
}

/** Run by npm, a new parent means that npm was killed: then nobody is left to end this here. */
function endWithNpm(end) {
  if (process.env.npm_lifecycle_event === undefined) return
  const parent = process.ppid
  const watching = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watching)
    end()
  }, PARENT_EVERY_MS)
  watching.unref()
}
