/** What a log line or span attribute may carry. */
export type FieldValue = string | number | bigint | boolean | null | undefined

/** Fields of one log line; only names on the allow-list are written (I23). */
export type Fields = Readonly<Record<string, FieldValue | Error | readonly string[]>>

/**
 * Names that may be written as they are. Everything else is left out, because a list of what is
 * harmless fails safe where a list of secrets does not.
 */
const ALLOWED_NAMES = new Set([
  'address',
  'attempt',
  'attempts',
  'cause',
  'class',
  'code',
  'component',
  'constraint',
  'consumer',
  'copy',
  'currency',
  'cursor',
  'dependency',
  'epoch',
  'event',
  'exitCode',
  'file',
  'found',
  'generation',
  'job',
  'kind',
  'lag',
  'line',
  'method',
  'migration',
  'mode',
  'name',
  'operation',
  'outcome',
  'path',
  'peer',
  'pid',
  'port',
  'principal',
  'queue',
  'reason',
  'role',
  'rows',
  'script',
  'sequence',
  'server',
  'service',
  'setting',
  'signal',
  'size',
  'sqlState',
  'state',
  'step',
  'stream',
  'subject',
  'taskQueue',
  'type',
  'version',
  'workflow',
])

/** A name with one of these endings says an id, a unit or a count, never a secret. */
const ALLOWED_ENDINGS = [
  'Id',
  'Ids',
  'Ms',
  'Count',
  'Bytes',
  'Version',
  'Sequence',
  'State',
  'Minor',
  'Name',
  'At',
  'Number',
]

/** Longest text of one field; longer is cut, so that no input can flood the log. */
const FIELD_LENGTH_MAX = 500

/** True when a field of this name may be written. */
export function isAllowedName(name: string): boolean {
  return ALLOWED_NAMES.has(name) || ALLOWED_ENDINGS.some((ending) => name.endsWith(ending))
}

/**
 * The fields that may be written, texts cut to 500 characters; errors become `error` with causes.
 */
export function redactFields(fields: Fields): Record<string, unknown> {
  const written: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Error) written['error'] = describeError(value)
    else if (!isAllowedName(name)) written['withheld'] = true
    else if (value !== undefined) written[name] = cut(value)
  }
  return written
}

/** Bound on the chain of causes written for one error. */
const CAUSE_DEPTH_MAX = 5

/** An error as plain data. */
export interface DescribedError {
  readonly name: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: DescribedError
}

/** An error with its causes as plain data. Idempotent. */
export function describeError(error: Error, depth = 0): DescribedError {
  const code = (error as { code?: unknown }).code
  return {
    name: error.name,
    message: String(cut(error.message)),
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(error.stack === undefined ? {} : { stack: stackOf(error) }),
    ...(error.cause instanceof Error && depth < CAUSE_DEPTH_MAX
      ? { cause: describeError(error.cause, depth + 1) }
      : {}),
  }
}

function stackOf(error: Error): string {
  // The first lines of a stack repeat the message, which is cut above.
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '))
  return frames.slice(0, 8).join('\n')
}

function cut(value: FieldValue | readonly string[]): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'string') {
    return value.length > FIELD_LENGTH_MAX ? `${value.slice(0, FIELD_LENGTH_MAX)}…` : value
  }
  if (Array.isArray(value)) return value.slice(0, 20).map((item) => cut(item as string))
  return value
}
