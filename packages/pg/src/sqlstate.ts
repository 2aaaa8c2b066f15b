import { DatabaseError } from 'pg'
import { RunAgain } from './run-again.ts'

/** SQLSTATE codes this package decides by (PostgreSQL documentation, appendix A). */
export const SQL_STATE = {
  foreignKeyViolation: '23503',
  uniqueViolation: '23505',
  checkViolation: '23514',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  readOnlyTransaction: '25006',
  undefinedTable: '42P01',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  idleInTransactionTimeout: '25P03',
  transactionTimeout: '25P04',
  adminShutdown: '57P01',
  tooManyConnections: '53300',
  diskFull: '53100',
} as const

/** The SQLSTATE of a server's error, or undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof DatabaseError ? error.code : undefined
}

/** The name of the constraint a statement broke, or undefined when it broke none. */
export function violatedConstraint(error: unknown): string | undefined {
  if (!(error instanceof DatabaseError)) return undefined
  return error.code?.startsWith('23') === true ? error.constraint : undefined
}

/** True when the same transaction may succeed if it is run again as a whole. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof RunAgain) return true
  const state = sqlStateOf(error)
  return (
    state === SQL_STATE.serializationFailure ||
    state === SQL_STATE.deadlockDetected ||
    state === SQL_STATE.lockNotAvailable ||
    // Two first tries of one request id: the second finds the first's answer when it runs again.
    (state === SQL_STATE.uniqueViolation &&
      violatedConstraint(error)?.startsWith('request_key') === true)
  )
}

/** Classes of SQLSTATE that say the server, not the statement, is in trouble. */
const SERVER_TROUBLE_CLASSES = ['08', '53', '57', '58', 'XX']

/** True when the server could not be used: the statement itself may well be right. */
export function isServerTrouble(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state === undefined) return isConnectionError(error)
  return (
    endsConnection(error) ||
    state === SQL_STATE.readOnlyTransaction ||
    SERVER_TROUBLE_CLASSES.includes(state.slice(0, 2))
  )
}

/** Codes with which the server says goodbye, whatever language its severities are in. */
const GOODBYE_STATES = new Set([
  SQL_STATE.idleInTransactionTimeout,
  SQL_STATE.transactionTimeout,
  SQL_STATE.adminShutdown,
  '57P02',
  '57P03',
  '57P04',
  '57P05',
])

/**
 * True when nothing more can be heard over the connection this error came from. A statement that
 * was cut off by its time limit (57014) leaves its connection in order.
 */
export function endsConnection(error: unknown): boolean {
  if (!(error instanceof DatabaseError)) return isConnectionError(error)
  const state = error.code ?? ''
  const isFatal = error.severity === 'FATAL' || error.severity === 'PANIC'
  return isFatal || GOODBYE_STATES.has(state) || state.startsWith('08')
}

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'ENOENT',
  'ERR_STREAM_DESTROYED',
  'ERR_STREAM_WRITE_AFTER_END',
])

/** Texts by which pg reports a lost or never made connection; it has no codes for these. */
const CONNECTION_TEXTS = [
  'Connection terminated',
  'Client has encountered a connection error',
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Client was closed',
  'Connection ended',
]

/** True when the socket to the server broke or was never made. */
export function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof DatabaseError) return false
  const code = (error as { code?: unknown }).code
  if (typeof code === 'string' && SOCKET_CODES.has(code)) return true
  return CONNECTION_TEXTS.some((text) => error.message.includes(text))
}
