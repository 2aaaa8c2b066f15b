import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from '@holdfast/runtime'
import { afterEach, expect, test } from 'vitest'
import { processIdentity } from '../src/identity.ts'
import { freePorts, LOOPBACK } from '../src/ports.ts'
import { exchange } from '../src/probe.ts'
import { endRecorded, openProcessRecord, readRecord } from '../src/record.ts'
import { startSupervised, type SupervisedOptions } from '../src/supervise.ts'
import { makeTemporaryFolder, type TemporaryFolder } from '../src/temporary-folder.ts'

/** Answers every connection on the port with `here`. */
const SERVER = `
const server = require('node:net').createServer((socket) => socket.end('here'))
server.listen(Number(process.argv[1]), '127.0.0.1')
`

/** As SERVER, and deaf to SIGTERM. */
const STUBBORN = `process.on('SIGTERM', () => console.log('no'));${SERVER}`

const folders: TemporaryFolder[] = []
const stops: (() => Promise<void>)[] = []

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
  for (const folder of folders.splice(0)) folder.remove()
})

function makeFolder(): string {
  const folder = makeTemporaryFolder()
  folders.push(folder)
  return folder.path
}

async function serverOptions(script: string): Promise<SupervisedOptions & { port: number }> {
  const [port = 0] = await freePorts(1)
  return {
    port,
    name: 'small',
    command: process.execPath,
    args: ['-e', script, String(port)],
    env: {},
    cwd: '/',
    readiness: { check: (signal) => isHere(port, signal), timeoutMs: 20_000 },
    restart: true,
    logFile: path.join(makeFolder(), 'small.log'),
    report: () => undefined,
  }
}

async function isHere(port: number, signal: AbortSignal): Promise<boolean> {
  return (await exchange({ host: LOOPBACK, port }, '', signal)).toString() === 'here'
}

async function startAndStopLater(options: SupervisedOptions) {
  const supervised = await startSupervised(options)
  stops.push(() => supervised.stop())
  return supervised
}

test('a child that is killed serves again on its port, under a new process id', async () => {
  const options = await serverOptions(SERVER)
  const restarted = Promise.withResolvers<number>()
  const lines: string[] = []
  const supervised = await startAndStopLater({
    ...options,
    onRestart: restarted.resolve,
    report: (line) => lines.push(line),
  })
  const first = supervised.pid ?? 0
  process.kill(first, 'SIGKILL')
  const second = await restarted.promise
  expect(second).not.toBe(first)
  expect(supervised.pid).toBe(second)
  expect(supervised.restarts).toBe(1)
  expect(await isHere(options.port, AbortSignal.timeout(2_000))).toBe(true)
  expect(lines[0]).toBe('small ended by itself (SIGKILL)')
})

test('a stopped child is gone, its port free, and it is not started again', async () => {
  const options = await serverOptions(SERVER)
  const supervised = await startAndStopLater(options)
  const pid = supervised.pid ?? 0
  await supervised.stop()
  await supervised.stop()
  expect(supervised.pid).toBeUndefined()
  expect(processIdentity(pid)).toBeUndefined()
  await expect(isHere(options.port, AbortSignal.timeout(2_000))).rejects.toThrow(/ECONNREFUSED/)
})

test('a child that ignores its stop signal, or is paused, is gone within 10 s', async () => {
  const lines: string[] = []
  const report = (line: string) => void lines.push(line)
  const stubborn = await startAndStopLater({ ...(await serverOptions(STUBBORN)), report })
  const paused = await startAndStopLater({ ...(await serverOptions(SERVER)), report })
  process.kill(paused.pid ?? 0, 'SIGSTOP')
  const startedMs = systemClock.monotonicMs()
  await Promise.all([stubborn.stop(), paused.stop()])
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(10_000)
  expect(lines).toEqual(['small did not end in 9.3 s and is killed'])
})

test('a first start that fails says so with the last words of the child', async () => {
  const options = await serverOptions('console.error("the disk is on fire"); process.exit(3)')
  await expect(startSupervised(options)).rejects.toThrow(
    /small ended before it served \(exit code 3\): the disk is on fire\. Its log is /,
  )
})

test('a program that does not exist fails the start and leaves nothing behind', async () => {
  const options = { ...(await serverOptions(SERVER)), command: '/no/such/program' }
  await expect(startSupervised(options)).rejects.toThrow(/small ended before it served .*ENOENT/)
})

test('a child that never serves is given up after its time', async () => {
  const options = await serverOptions('setInterval(() => undefined, 1000)')
  const impatient = { ...options, readiness: { ...options.readiness, timeoutMs: 300 } }
  await expect(startSupervised(impatient)).rejects.toThrow(/small did not serve within 0\.3 s/)
})

test('a child gets the environment it was given and nothing else', async () => {
  const script = `console.log(Object.keys(process.env).sort().join());${SERVER}`
  const options = await serverOptions(script)
  await startAndStopLater({ ...options, env: { HOLDFAST_SMALL: '1' } })
  expect(readFileSync(options.logFile, 'utf8')).toContain('HOLDFAST_SMALL\n')
})

test('a process record holds what runs and is gone when nothing does', async () => {
  const file = path.join(makeFolder(), 'processes.json')
  const record = openProcessRecord(file)
  const supervised = await startAndStopLater({ ...(await serverOptions(SERVER)), record })
  expect(readRecord(file).map(({ name, pid }) => ({ name, pid }))).toEqual([
    { name: 'small', pid: supervised.pid },
  ])
  await supervised.stop()
  expect(readRecord(file)).toEqual([])
})

test('what an earlier start left running is ended, and no reused process id', async () => {
  const file = path.join(makeFolder(), 'processes.json')
  const leftover = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
  const bystander = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' })
  try {
    const record = openProcessRecord(file)
    record.add({ name: 'leftover', pid: leftover.pid ?? 0, stopSignal: 'SIGTERM' })
    const [entry] = readRecord(file)
    const reused = { ...entry, name: 'reused', pid: bystander.pid, identity: 'another start' }
    const { writeFileSync } = await import('node:fs')
    writeFileSync(file, JSON.stringify([entry, reused]))
    const lines: string[] = []
    const ended = once(leftover, 'exit')
    await endRecorded({ file, report: (line) => lines.push(line) })
    await ended
    expect(lines).toHaveLength(1)
    expect(processIdentity(bystander.pid ?? 0)).toBeDefined()
  } finally {
    leftover.kill('SIGKILL')
    bystander.kill('SIGKILL')
  }
})

test('children end with the process that started them, even when that is killed', async () => {
  const file = path.join(makeFolder(), 'processes.json')
  const source = path.resolve(import.meta.dirname, '../src/index.ts')
  const [port = 0] = await freePorts(1)
  const script = `
    const { startSupervised, openProcessRecord } = await import(${JSON.stringify(source)})
    const supervised = await startSupervised({
      name: 'orphan', command: process.execPath,
      args: ['-e', ${JSON.stringify(SERVER)}, '${port}'], env: {}, cwd: '/', restart: true,
      logFile: ${JSON.stringify(path.join(path.dirname(file), 'orphan.log'))}, report() {},
      readiness: { check: async () => true, timeoutMs: 5000 },
      record: openProcessRecord(${JSON.stringify(file)}),
    })
    console.log(supervised.pid)
  `
  const parent = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [printed] = (await once(parent.stdout, 'data')) as [Buffer]
  const orphan = Number(printed.toString())
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  // Waits for its end, whoever brings it about, and finds nothing left to do afterwards.
  await endRecorded({ file, report: () => undefined })
  expect(processIdentity(orphan)).toBeUndefined()
})

test('a full disk at a restart is told, and the child is back once there is room', async () => {
  const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
  const pids: number[] = []
  const lines: string[] = []
  const options = await serverOptions(SERVER)
  const back = Promise.withResolvers<void>()
  const supervised = await startAndStopLater({
    ...options,
    report: (line) => {
      lines.push(line)
      if (line.includes('be written down')) back.resolve()
    },
    record: {
      add: ({ pid }) => {
        if (pids.push(pid) === 2) throw full
      },
      remove: () => undefined,
    },
    onRestart: () => {
      throw full
    },
  })
  process.kill(supervised.pid ?? 0, 'SIGKILL')
  await back.promise
  const room = 'The disk is full. Free some space and start again.'
  expect(lines).toContain(`small could not be started: ${room} Trying again.`)
  expect(lines).toContain(`small serves, but that could not be written down: ${room}`)
  expect(pids).toHaveLength(3)
  expect(supervised.pid).toBe(pids[2])
  expect(pids.slice(0, 2).filter((pid) => processIdentity(pid) !== undefined)).toEqual([])
})

test('a list of processes that cannot be written any more does not fail when one ends', () => {
  const folder = makeFolder()
  const record = openProcessRecord(path.join(folder, 'list', 'processes.json'))
  record.add({ name: 'this', pid: process.pid, stopSignal: 'SIGTERM' })
  record.add({ name: 'parent', pid: process.ppid, stopSignal: 'SIGTERM' })
  rmSync(path.join(folder, 'list'), { recursive: true })
  writeFileSync(path.join(folder, 'list'), 'in the way')
  expect(() => record.remove(process.pid)).not.toThrow()
})
