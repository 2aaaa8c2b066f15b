import { existsSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  probeHttp,
  type ProcessRecord,
  type Report,
  startSupervised,
  type SupervisedProcess,
} from '@holdfast/backing'
import { SECOND_MS } from '@holdfast/kernel'
import { type Environment, systemClock } from '@holdfast/runtime'
import type { LiveProcess } from './endpoints.ts'
import { serviceEnvironment, type Surroundings } from './environment.ts'
import type { PlannedProcess } from './ports.ts'

/** What every Node child of this start shares. */
export interface ChildSetup {
  /** The project's folder. */
  readonly root: string
  readonly dataFolder: string
  readonly environment: Environment
  readonly record: ProcessRecord
  readonly report: Report
  /** Where crash points are armed; undefined when none can be. */
  readonly crashPointsFolder: string | undefined
  readonly onRestart: () => void
}

/** A running child with what others need to find it. */
export interface RunningProcess extends LiveProcess {
  readonly supervised: SupervisedProcess
}

const HOST = '127.0.0.1'

/** All processes start at once, so each has a fraction of two cores. */
const READY_WITHIN_MS = 120 * SECOND_MS

/** The file that a planned process runs. */
function entryFile(root: string, { kind }: Pick<PlannedProcess, 'kind'>): string {
  return path.join(root, 'services', kind.service, 'src', `${kind.entry}.ts`)
}

/** The planned processes whose program stands, and the files of those that are missing. */
export function splitByExistence(root: string, planned: readonly PlannedProcess[]) {
  const standing = planned.filter((one) => existsSync(entryFile(root, one)))
  const absent = planned.filter((one) => !existsSync(entryFile(root, one)))
  const missing = new Set(absent.map((one) => path.relative(root, entryFile(root, one))))
  return { standing, missing: [...missing] }
}

/** Starts one process of a service and resolves when its /readyz answers 200. */
export async function startService(
  planned: PlannedProcess,
  surroundings: Surroundings,
  setup: ChildSetup,
): Promise<RunningProcess> {
  const { name, copy, ports } = planned
  const operationsAddress = `${HOST}:${ports.operations}`
  const supervised = await startNode(setup, {
    name: `${name}-${copy}`,
    file: entryFile(setup.root, planned),
    env: serviceEnvironment(planned, surroundings),
    readinessUrl: `http://${operationsAddress}/readyz`,
  })
  const endpoint = {
    name,
    copy,
    address: ports.grpc === undefined ? undefined : `${HOST}:${ports.grpc}`,
    httpAddress: ports.http === undefined ? undefined : `${HOST}:${ports.http}`,
    operationsAddress,
  }
  return { supervised, endpoint, pid: () => supervised.pid }
}

/** Starts the payment simulator and resolves when it answers. */
export async function startPaymentSimulator(
  options: {
    readonly port: number
    /** Undefined: events are kept to be listed, and nobody is told. */
    readonly webhookUrl: string | undefined
    readonly providerKey: string
    readonly webhookSecret: string
    readonly extra: Readonly<Record<string, string>>
  },
  setup: ChildSetup,
): Promise<RunningProcess> {
  const address = `${HOST}:${options.port}`
  const values: Record<string, string> = {
    LISTEN_ADDRESS: address,
    DATA_FOLDER: path.join(setup.dataFolder, 'payment-simulator'),
    API_KEY_FILE: options.providerKey,
    ...(options.webhookUrl === undefined ? {} : { WEBHOOK_URL: options.webhookUrl }),
    WEBHOOK_SECRET_FILE: options.webhookSecret,
    ...options.extra,
  }
  const supervised = await startNode(setup, {
    name: 'payment-simulator-1',
    file: path.join(setup.root, 'packages/payment-simulator/src/main.ts'),
    env: Object.fromEntries(
      Object.entries(values).map(([name, value]) => [`HOLDFAST_PAYMENT_SIMULATOR_${name}`, value]),
    ),
    readinessUrl: `http://${address}/healthz`,
  })
  const endpoint = { name: 'payment-simulator', copy: 1, httpAddress: address }
  return { supervised, endpoint, pid: () => supervised.pid }
}

interface NodeChild {
  readonly name: string
  readonly file: string
  readonly env: Readonly<Record<string, string>>
  readonly readinessUrl: string
}

async function startNode(setup: ChildSetup, child: NodeChild): Promise<SupervisedProcess> {
  const { root, dataFolder, record, report, onRestart } = setup
  const startedMs = systemClock.monotonicMs()
  const register = path.join(root, 'packages/telemetry/src/register.ts')
  const supervised = await startSupervised({
    name: child.name,
    command: process.execPath,
    args: ['--import', pathToFileURL(register).href, child.file],
    env: {
      OTEL_SERVICE_NAME: `holdfast-${child.name}`,
      ...inherited(setup.environment),
      ...crashPoints(setup),
      ...child.env,
    },
    cwd: root,
    readiness: {
      check: (signal) => probeHttp(child.readinessUrl, signal),
      timeoutMs: READY_WITHIN_MS,
    },
    restart: true,
    logFile: path.join(dataFolder, 'logs', `${child.name}.log`),
    report,
    record,
    onRestart,
  })
  const seconds = ((systemClock.monotonicMs() - startedMs) / SECOND_MS).toFixed(1)
  report(`${child.name} is ready after ${seconds} s`)
  return supervised
}

function crashPoints({ crashPointsFolder }: ChildSetup): Record<string, string> {
  if (crashPointsFolder === undefined) return {}
  return { HOLDFAST_CRASH_POINTS_FOLDER: crashPointsFolder }
}

/** The person's own settings of OpenTelemetry and what a program needs to run at all. */
function inherited(environment: Environment): Record<string, string> {
  const wanted = Object.entries(environment).filter(
    ([name]) => /^(PATH|HOME|TMPDIR|NODE_ENV)$/.test(name) || name.startsWith('OTEL_'),
  )
  return Object.fromEntries(wanted.map(([name, value]) => [name, value ?? '']))
}
