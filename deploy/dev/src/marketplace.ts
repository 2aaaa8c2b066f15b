import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import {
  type Backing,
  connectFaultProxies,
  endRecorded,
  lockFolder,
  openProcessRecord,
  type ProcessRecord,
  type Report,
  requireFreePorts,
  startBacking,
  startToxiproxy,
  type ToxiproxyServer,
  withProgress,
} from '@holdfast/backing'
import { createDisposer, type Environment } from '@holdfast/runtime'
import { makeDataFolder } from './data-folder.ts'
import { prepareDatabase } from './databases.ts'
import { describeEndpoints, type Endpoints, removeEndpoints, writeEndpoints } from './endpoints.ts'
import type { Surroundings } from './environment.ts'
import { linkName, linksOf, type OpenedLinks, surroundingsThrough } from './fault-links.ts'
import type { StartOptions } from './options.ts'
import { fixedPortPlan, freePortPlan, type PortPlan, processPorts } from './ports.ts'
import { SERVICES } from './processes.ts'
import { prepareSecrets, type Secrets } from './secrets.ts'
import {
  type ChildSetup,
  type RunningProcess,
  splitByExistence,
  startPaymentSimulator,
  startService,
} from './services.ts'
import { requireSpace } from './space.ts'

/** A running marketplace. */
export interface Marketplace extends AsyncDisposable {
  /** What runs at this moment; the same is in `<data>/endpoints.json`. */
  endpoints(): Endpoints
  /** Files of processes that were to be started and do not exist. */
  readonly missing: readonly string[]
}

/** What a start needs beside its options. */
export interface StartContext {
  readonly options: StartOptions
  /** The project's folder. */
  readonly root: string
  readonly environment: Environment
  readonly report: Report
  /** Aborts the start: what has started is ended, and the start rejects. */
  readonly signal: AbortSignal
}

/**
 * Starts everything on one data folder and resolves when all of it is ready. On failure, and when
 * `signal` aborts, what has started is ended before it rejects (SetupError with one readable line).
 */
export async function startMarketplace(context: StartContext): Promise<Marketplace> {
  const disposer = createDisposer()
  const aborted = Promise.withResolvers<never>()
  const abort = () => aborted.reject(context.signal.reason)
  context.signal.addEventListener('abort', abort, { once: true })
  try {
    context.signal.throwIfAborted()
    return await Promise.race([new Start(context, disposer).run(), aborted.promise])
  } catch (failure) {
    await disposer.dispose()
    throw failure
  } finally {
    context.signal.removeEventListener('abort', abort)
  }
}

const NO_LINKS: OpenedLinks = new Map()

/** From the provider to payment's door for webhooks. */
const WEBHOOK_LINK = linkName('provider', 'payment-1')

/** `host:port` for the provider's webhooks. Any copy may take them: the inbox is one table. */
function webhookReceiver(plan: PortPlan): string | undefined {
  const receiver = plan.processes.find(({ name }) => name === 'payment')
  return receiver === undefined ? undefined : `127.0.0.1:${receiver.ports.http}`
}

/** One start; its parts are filled in as they come up. */
class Start {
  readonly #context: StartContext
  readonly #disposer: ReturnType<typeof createDisposer>
  readonly #running: RunningProcess[] = []
  #backing: Backing | undefined
  #plan: PortPlan | undefined
  #secrets: Secrets | undefined
  #toxiproxy: ToxiproxyServer | undefined
  #crashPointsFolder: string | undefined

  constructor(context: StartContext, disposer: ReturnType<typeof createDisposer>) {
    this.#context = context
    this.#disposer = disposer
  }

  async run(): Promise<Marketplace> {
    const { options, root, report } = this.#context
    const record = await this.#takeFolder()
    const plan =
      options.ports === 'auto' ? await freePortPlan(options.copies) : fixedPortPlan(options.copies)
    this.#plan = plan
    if (options.only === 'everything') await requireFreePorts(processPorts(plan, options))
    const secrets = prepareSecrets(options.dataFolder)
    this.#secrets = secrets
    report(secrets.made === 0 ? 'Secrets are there' : `Made ${secrets.made} secrets`)
    const backing = await this.#startBacking(plan, record)
    let missing: readonly string[] = []
    if (options.only === 'everything') {
      await this.#prepareDatabases(backing, secrets)
      const { standing, missing: files } = splitByExistence(root, plan.processes)
      missing = files
      await this.#startProcesses({ ...plan, processes: standing }, record)
    }
    this.#disposer.defer(() => removeEndpoints(options.dataFolder))
    this.#writeEndpoints()
    return {
      missing,
      endpoints: () => this.#describe(),
      [Symbol.asyncDispose]: () => this.#disposer.dispose(),
    }
  }

  async #takeFolder(): Promise<ProcessRecord> {
    const { options, report } = this.#context
    const { dataFolder } = options
    makeDataFolder(dataFolder)
    const lock = lockFolder(dataFolder)
    this.#disposer.defer(() => lock.release())
    const file = path.join(dataFolder, 'processes.json')
    await endRecorded({ file, report })
    removeEndpoints(dataFolder)
    requireSpace(dataFolder)
    return openProcessRecord(file)
  }

  async #startBacking(plan: PortPlan, record: ProcessRecord): Promise<Backing> {
    const { options, report, environment } = this.#context
    const backing = await startBacking({
      dataFolder: options.dataFolder,
      ports: plan.backing,
      report,
      environment,
      record,
      redisOptional: true,
      onRestart: () => this.#writeEndpoints(),
    })
    this.#disposer.defer(() => backing.stop())
    this.#backing = backing
    return backing
  }

  async #prepareDatabases(backing: Backing, secrets: Secrets): Promise<void> {
    const { root, report } = this.#context
    const { superuserUrl } = backing.postgres
    const what = 'Preparing the databases'
    const steps = await withProgress({ what, report }, () =>
      Promise.all(
        SERVICES.map((service) => prepareDatabase({ service, superuserUrl, secrets, root })),
      ),
    )
    const applied = steps.reduce((sum, one) => sum + one, 0)
    report(
      `Databases are ready (${applied === 0 ? 'nothing to migrate' : `${applied} migrations`})`,
    )
  }

  async #startProcesses(plan: PortPlan, record: ProcessRecord): Promise<void> {
    const { options, root, environment, report } = this.#context
    this.#crashPointsFolder = this.#emptyCrashPoints()
    const setup: ChildSetup = {
      root,
      dataFolder: options.dataFolder,
      environment,
      record,
      report,
      crashPointsFolder: this.#crashPointsFolder,
      onRestart: () => this.#writeEndpoints(),
    }
    const links = options.faults ? await this.#openLinks(plan, record) : NO_LINKS
    // Stopped together: each drains up to 10 s.
    this.#disposer.defer(async () => {
      await Promise.all(this.#running.map(({ supervised }) => supervised.stop()))
    })
    const surroundings = this.#surroundings()
    const starts = [
      this.#startSimulator(plan, links, setup),
      ...plan.processes.map((planned) => {
        const from = `${planned.name}-${planned.copy}`
        return startService(planned, surroundingsThrough(links, from, surroundings), setup)
      }),
    ]
    const what = `Starting ${starts.length} processes`
    report(what)
    const settled = await withProgress({ what, report }, () =>
      Promise.allSettled(starts.map(async (start) => void this.#running.push(await start))),
    )
    this.#sortRunning(plan)
    const failed = settled.filter((one) => one.status === 'rejected')
    for (const { reason } of failed.slice(1)) report((reason as Error).message)
    if (failed[0] !== undefined) throw failed[0].reason
  }

  /** The folder from an earlier start is emptied: what was armed then is not meant now. */
  #emptyCrashPoints(): string | undefined {
    const { dataFolder, faults } = this.#context.options
    const folder = path.join(dataFolder, 'crash-points')
    rmSync(folder, { recursive: true, force: true })
    if (!faults) return undefined
    mkdirSync(folder)
    return folder
  }

  async #openLinks(plan: PortPlan, record: ProcessRecord): Promise<OpenedLinks> {
    const { options, report, environment } = this.#context
    const toxiproxy = await startToxiproxy({
      dataFolder: options.dataFolder,
      port: plan.faultProxy,
      report,
      environment,
      record,
    })
    this.#disposer.defer(() => toxiproxy.stop())
    this.#toxiproxy = toxiproxy
    const surroundings = this.#surroundings()
    const receiver = webhookReceiver(plan)
    return connectFaultProxies(toxiproxy.address).open([
      ...plan.processes.flatMap((planned) => linksOf(planned, surroundings)),
      ...(receiver === undefined ? [] : [{ name: WEBHOOK_LINK, upstream: receiver }]),
    ])
  }

  #startSimulator(plan: PortPlan, links: OpenedLinks, setup: ChildSetup): Promise<RunningProcess> {
    const { secrets } = this.#surroundings()
    const receiver = links.get(WEBHOOK_LINK) ?? webhookReceiver(plan)
    const webhookUrl = receiver === undefined ? undefined : `http://${receiver}/webhooks/simulator`
    return startPaymentSimulator(
      {
        port: plan.paymentSimulator,
        webhookUrl,
        providerKey: secrets.providerKey,
        webhookSecret: secrets.webhookSecret,
        extra: this.#context.options.simulator,
      },
      setup,
    )
  }

  /** In the plan's order, whoever was ready first. */
  #sortRunning(plan: PortPlan): void {
    const order = (one: RunningProcess) =>
      plan.processes.findIndex(
        ({ name, copy }) => name === one.endpoint.name && copy === one.endpoint.copy,
      )
    this.#running.sort((a, b) => order(a) - order(b))
  }

  #surroundings(): Surroundings {
    const { backing, plan, secrets } = this.#parts()
    return {
      secrets,
      postgresAddress: backing.postgres.address,
      // Without a Redis nobody answers there, which is what services take for its loss.
      redisUrl: backing.redis?.url ?? `redis://127.0.0.1:${plan.backing.redis}`,
      natsUrl: backing.nats.url,
      temporalAddress: backing.temporal.address,
      paymentProviderUrl: `http://127.0.0.1:${plan.paymentSimulator}`,
      addressesOf: (service) =>
        plan.processes
          .filter(({ kind }) => kind.service === service && kind.entry === 'main')
          .map(({ ports }) => `127.0.0.1:${ports.grpc}`),
    }
  }

  #describe(): Endpoints {
    const { backing, plan, secrets } = this.#parts()
    const { options } = this.#context
    const everything = options.only === 'everything'
    const seller = this.#running.find(({ endpoint }) => endpoint.name === 'seller')
    return describeEndpoints({
      fixed: {
        launcher: process.pid,
        webUi: backing.temporal.webUi,
        onboardingApi:
          seller === undefined ? undefined : `http://${seller.endpoint.httpAddress}/v1`,
        paymentSimulator: everything ? `http://127.0.0.1:${plan.paymentSimulator}` : undefined,
        natsUrl: backing.nats.url,
        redisUrl: backing.redis?.url,
        faultProxy: this.#toxiproxy?.address,
        crashPointsFolder: this.#crashPointsFolder,
        secretsFolder: secrets.folder,
        logsFolder: path.join(options.dataFolder, 'logs'),
      },
      processes: this.#running,
      backing: [...backing.servers, ...(this.#toxiproxy === undefined ? [] : [this.#toxiproxy])],
    })
  }

  #parts(): { backing: Backing; plan: PortPlan; secrets: Secrets } {
    const [backing, plan, secrets] = [this.#backing, this.#plan, this.#secrets]
    if (backing === undefined || plan === undefined || secrets === undefined) {
      throw new Error('The start has not come that far.')
    }
    return { backing, plan, secrets }
  }

  #writeEndpoints(): void {
    if (this.#backing === undefined) return
    writeEndpoints(this.#context.options.dataFolder, this.#describe())
  }
}
