import { mkdir } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@holdfast/kernel'
import { createDisposer, systemClock } from '@holdfast/runtime'
import { type Logger, SILENT_LOGGER } from '@holdfast/telemetry'
import type { SimulatorConfig } from './config.ts'
import { Core } from './core.ts'
import { createHttp } from './http.ts'
import { Journal } from './journal.ts'
import { apply, emptyState, type LedgerState } from './state.ts'
import { WebhookSender } from './webhooks.ts'

/** Name of the ledger in the data folder: one JSON object per line, only ever appended to. */
export const LEDGER_FILE_NAME = 'ledger.jsonl'

/** A running provider. */
export interface PaymentSimulator extends AsyncDisposable {
  /** Base URL, such as `http://127.0.0.1:41234`. */
  readonly url: string
}

/**
 * Starts the provider: rebuilds its state from the ledger file, listens, and sends what webhooks
 * are owed. Fails when the folder cannot be written, the ledger is damaged, or the port is taken.
 */
export async function createPaymentSimulator(
  config: SimulatorConfig,
  overrides: { readonly clock?: Clock; readonly log?: Logger } = {},
): Promise<PaymentSimulator> {
  const clock = overrides.clock ?? systemClock
  const log = overrides.log ?? SILENT_LOGGER
  const disposer = createDisposer()
  try {
    await mkdir(config.dataFolder, { recursive: true, mode: 0o700 })
    const state = emptyState()
    const journal = await Journal.open(join(config.dataFolder, LEDGER_FILE_NAME), (line) => {
      for (const change of line.changes) apply(state, change)
    })
    disposer.defer(() => journal.close())
    let url = ''
    const sender = createSender({ config, state, journal, clock, log })
    if (sender) disposer.add(sender)
    const core = new Core({
      state,
      journal,
      clock,
      keyLifetimeMs: config.keyLifetimeMs,
      lateWebhookMs: config.lateWebhookMs,
      sendsWebhooks: sender !== undefined,
      publicUrl: () => url,
      sendNow: async (event, delivery) => void (await sender?.sendNow(event, delivery)),
      wakeSender: () => sender?.wake(),
    })
    const { apiKey, hangMs, answerDelayMs } = config
    const app = createHttp({ core, state, journal, clock, apiKey, hangMs, answerDelayMs })
    disposer.defer(() => app.close())
    await app.listen({ host: config.host, port: config.port })
    url = `http://${config.host}:${(app.server.address() as AddressInfo).port}`
    log.info('The payment simulator listens', { address: url, rows: state.intents.size })
    return { url, [Symbol.asyncDispose]: () => disposer.dispose() }
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

function createSender(parts: {
  readonly config: SimulatorConfig
  readonly state: LedgerState
  readonly journal: Journal
  readonly clock: Clock
  readonly log: Logger
}): WebhookSender | undefined {
  const { config, state, journal, clock, log } = parts
  if (config.webhookUrl === undefined) return undefined
  const mark = async (kind: 'delivered' | 'given-up', eventId: string): Promise<void> => {
    const change = { kind, eventId } as const
    apply(state, change)
    await journal.append(clock.now().toISOString(), [change])
  }
  return new WebhookSender({
    url: config.webhookUrl,
    secret: config.webhookSecret,
    retryMs: config.webhookRetryMs,
    clock,
    log,
    undelivered: async () => {
      const owed = [...state.undelivered.values()]
      await journal.flushed()
      return owed
    },
    onDelivered: (eventId) => mark('delivered', eventId),
    onGivenUp: (eventId) => mark('given-up', eventId),
  })
}
