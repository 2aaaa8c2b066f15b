import { DAY_MS, SECOND_MS } from '@holdfast/kernel'
import {
  addressSetting,
  durationMsSetting,
  type Environment,
  readEnvironment,
  secretFileSetting,
  urlSetting,
} from '@holdfast/runtime'
import { z } from 'zod'

/** Prefix of every variable this process reads. */
const ENVIRONMENT_PREFIX = 'HOLDFAST_PAYMENT_SIMULATOR_'

/**
 * Settings of the simulator; tests give them directly, the process reads them from its environment.
 */
export interface SimulatorConfig {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Folder of `ledger.jsonl`; made when missing. */
  readonly dataFolder: string
  /** Bearer key that every call but /healthz and the action page must carry. */
  readonly apiKey: string
  /** Where events are sent; without it they are only listed. */
  readonly webhookUrl: string | undefined
  /** Secret of the webhook signature, shared with the receiver. */
  readonly webhookSecret: string
  /** How long a first answer is kept for its Idempotency-Key. */
  readonly keyLifetimeMs: number
  /** How long a call that shall time out is held open before its connection is cut. */
  readonly hangMs: number
  /** Added to every answer under /v1, to look like a provider on the other side of a network. */
  readonly answerDelayMs: number
  /** Delay of the webhook script `late`. */
  readonly lateWebhookMs: number
  /** First pause before a webhook is sent again; doubles up to a minute. */
  readonly webhookRetryMs: number
}

/** Values of what a test or a local run does not care about. */
export const SIMULATOR_DEFAULTS = {
  host: '127.0.0.1',
  port: 0,
  webhookUrl: undefined,
  keyLifetimeMs: DAY_MS,
  hangMs: 30 * SECOND_MS,
  answerDelayMs: 0,
  lateWebhookMs: 3 * SECOND_MS,
  webhookRetryMs: 500,
} as const

/** Settings from environment variables; fails with BadConfiguration. */
export function readConfig(environment: Environment): SimulatorConfig {
  const raw = readEnvironment({
    prefix: ENVIRONMENT_PREFIX,
    environment,
    shape: {
      LISTEN_ADDRESS: addressSetting,
      DATA_FOLDER: z.string({ error: 'is required, as the path of a folder' }).min(1),
      API_KEY_FILE: secretFileSetting,
      WEBHOOK_URL: urlSetting('http:', 'https:').optional(),
      WEBHOOK_SECRET_FILE: secretFileSetting,
      KEY_LIFETIME_MS: setting(1, 7 * DAY_MS, SIMULATOR_DEFAULTS.keyLifetimeMs),
      HANG_MS: setting(1, 10 * 60 * SECOND_MS, SIMULATOR_DEFAULTS.hangMs),
      ANSWER_DELAY_MS: setting(0, 60 * SECOND_MS, SIMULATOR_DEFAULTS.answerDelayMs),
      LATE_WEBHOOK_MS: setting(0, 60 * SECOND_MS, SIMULATOR_DEFAULTS.lateWebhookMs),
      WEBHOOK_RETRY_MS: setting(1, 60 * SECOND_MS, SIMULATOR_DEFAULTS.webhookRetryMs),
    },
  })
  return {
    host: raw.LISTEN_ADDRESS.host,
    port: raw.LISTEN_ADDRESS.port,
    dataFolder: raw.DATA_FOLDER,
    apiKey: raw.API_KEY_FILE,
    webhookUrl: raw.WEBHOOK_URL,
    webhookSecret: raw.WEBHOOK_SECRET_FILE,
    keyLifetimeMs: raw.KEY_LIFETIME_MS,
    hangMs: raw.HANG_MS,
    answerDelayMs: raw.ANSWER_DELAY_MS,
    lateWebhookMs: raw.LATE_WEBHOOK_MS,
    webhookRetryMs: raw.WEBHOOK_RETRY_MS,
  }
}

function setting(min: number, max: number, fallback: number) {
  return durationMsSetting({ min, max, fallback })
}
