import { type Fields, type FieldValue, type Logger, counter } from '@holdfast/telemetry'
import type { LogLevel, LogMetadata, Logger as SdkLogger } from '@temporalio/common'
import { DefaultLogger, Runtime } from '@temporalio/worker'

const sdkWarnings = counter('holdfast_temporal_sdk_warnings_total', 'Warnings of the Temporal SDK')

let isInstalled = false

/**
 * Prepares the native core of this process: its logs go to `log`, and signals stay with the
 * process's own lifecycle. Idempotent; the first logger stays. Must run before the first
 * connection.
 */
export function installTemporalRuntime(log: Logger): void {
  if (isInstalled) return
  isInstalled = true
  Runtime.install({
    logger: bridgeLogger(log),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
    // The default would stop the worker at SIGTERM, before the calls in flight have ended.
    shutdownSignals: [],
  })
}

/** The SDK's logger over ours: constant messages, fields through the allow-list (I23). */
export function bridgeLogger(log: Logger): SdkLogger {
  return new DefaultLogger('INFO', ({ level, message, meta }) => {
    if (level === 'WARN' || level === 'ERROR') sdkWarnings.add(1, { level })
    writeLine({ log, level, message, fields: fieldsOf(meta) })
  })
}

function writeLine(line: {
  readonly log: Logger
  readonly level: LogLevel
  readonly message: string
  readonly fields: Fields
}): void {
  const { log, level, message, fields } = line
  switch (level) {
    case 'ERROR':
      return log.error(message, fields)
    case 'WARN':
      return log.warn(message, fields)
    case 'INFO':
    case 'DEBUG':
    case 'TRACE':
      // The SDK tells the life of each workflow at INFO, which is noise beside our own lines.
      return log.debug(message, fields)
  }
}

function fieldsOf(meta: LogMetadata | undefined): Fields {
  const fields: Record<string, FieldValue | Error> = { component: 'temporal-sdk' }
  for (const [name, value] of Object.entries(meta ?? {})) {
    if (value instanceof Error) fields['failure'] = value
    else if (isPlain(value)) fields[name] = value
  }
  return fields
}

function isPlain(value: unknown): value is FieldValue {
  return ['string', 'number', 'boolean', 'bigint'].includes(typeof value)
}
