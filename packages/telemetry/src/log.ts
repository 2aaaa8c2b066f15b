import { type DestinationStream, pino } from 'pino'
import { counter } from './metric.ts'
import { type Fields, redactFields } from './redact.ts'

/** Structured log; `message` is a constant text, what varies goes into fields. Never throws. */
export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** A logger that adds these fields to each line. */
  child(fields: Fields): Logger
}

const linesLost = counter(
  'holdfast_log_lines_lost_total',
  'Lines of the log that could not be written at once',
)

/** Levels from chatty to quiet. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** JSON lines on standard output (or `destination`), one object per event, times in ISO 8601. */
export function createLogger(options: {
  readonly service: string
  readonly level?: LogLevel
  readonly destination?: DestinationStream
}): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: { service: options.service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return wrap(pino(settings, options.destination ?? standardOutput()), {})
}

/** Lines that cannot be written are kept up to this many bytes; beyond it they are dropped. */
const UNWRITTEN_BYTES_MAX = 1_000_000

/** A disk that is full, or a reader that is gone, costs lines of the log and nothing else. */
function standardOutput(): DestinationStream {
  const sink = pino.destination({ fd: 1, sync: true, maxLength: UNWRITTEN_BYTES_MAX })
  sink.on('error', () => linesLost.add(1))
  sink.on('drop', () => linesLost.add(1))
  return sink
}

/** A logger that writes nothing, for tests and tools. */
export const SILENT_LOGGER: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT_LOGGER,
}

function wrap(base: ReturnType<typeof pino>, bound: Fields): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, fields?: Fields) =>
      base[level](redactFields({ ...bound, ...fields }), message)
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => wrap(base, { ...bound, ...fields }),
  }
}
