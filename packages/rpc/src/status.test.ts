import {
  AlreadyExists,
  Conflict,
  Forbidden,
  type HoldfastError,
  IllegalState,
  InvalidInput,
  type KnownError,
  NotFound,
  OutcomeUnknown,
  Overloaded,
  Unauthenticated,
  Unavailable,
} from '@holdfast/kernel'
import { status as GrpcStatus } from '@grpc/grpc-js'
import { ErrorInfo, Status } from '@holdfast/proto/google'
import { describe, expect, test } from 'vitest'
import { STATUS_OF_KIND, isHopeless, replyFor, retryAdvice } from './status.ts'
import { encodeDetails, errorFromStatus } from './status-details.ts'

const details = { hold_id: 'hld_1', zero: '' }
const options = { retryAfterMs: 1_250, cause: new Error('hunter2') }

/** One of each kind, its code, whether repeating helps, and how long a caller is told to wait. */
const ROWS: readonly (readonly [KnownError, GrpcStatus, string, number | undefined])[] = [
  [
    new InvalidInput('m', [{ field: 'a[0].b', description: 'is bad' }], 'KEY_REUSED'),
    GrpcStatus.INVALID_ARGUMENT,
    'never',
    undefined,
  ],
  [
    new Unauthenticated('TOKEN_EXPIRED', 'm', details),
    GrpcStatus.UNAUTHENTICATED,
    'never',
    undefined,
  ],
  [new Forbidden('ROLE_REQUIRED', 'm', details), GrpcStatus.PERMISSION_DENIED, 'never', undefined],
  [new NotFound('HOLD_NOT_FOUND', 'm', details), GrpcStatus.NOT_FOUND, 'never', undefined],
  [new AlreadyExists('ITEM_EXISTS', 'm', details), GrpcStatus.ALREADY_EXISTS, 'never', undefined],
  [
    new IllegalState('OUT_OF_STOCK', 'm', details),
    GrpcStatus.FAILED_PRECONDITION,
    'never',
    undefined,
  ],
  [new Conflict('VERSION_MISMATCH', 'm', details), GrpcStatus.ABORTED, 'read-then-repeat', 100],
  [
    new Overloaded('RATE_LIMITED', 'm', details, options),
    GrpcStatus.RESOURCE_EXHAUSTED,
    'repeat',
    1_250,
  ],
  [new Unavailable('DEPENDENCY_UNAVAILABLE', 'm', details), GrpcStatus.UNAVAILABLE, 'repeat', 500],
  [
    new OutcomeUnknown('m', details, { reason: 'DEPENDENCY_UNAVAILABLE' }),
    GrpcStatus.UNKNOWN,
    'repeat-to-learn',
    undefined,
  ],
]

function acrossTheWire(error: unknown): HoldfastError {
  const reply = replyFor(error, 'inc_1')
  return errorFromStatus(
    { code: reply.code, message: reply.message, details: encodeDetails(reply) },
    undefined,
  )
}

describe('the table of errors', () => {
  test('no repetition mends a bug', () => {
    expect([new TypeError('bug'), 'bug', undefined].every(isHopeless)).toBe(true)
  })

  test('has a row for each kind', () => {
    expect(new Set(ROWS.map(([error]) => error.kind))).toEqual(new Set(Object.keys(STATUS_OF_KIND)))
  })

  test.each(ROWS)('%s: code, advice and the way across the wire', (error, code, advice, waitMs) => {
    expect(replyFor(error, '').code).toBe(code)
    expect(retryAdvice(error.kind)).toBe(advice)
    expect(isHopeless(error)).toBe(advice === 'never')
    const received = acrossTheWire(error)
    expect(received).toBeInstanceOf(error.constructor)
    expect(received).toMatchObject({
      kind: error.kind,
      reason: error.reason,
      message: error.message,
      details: error.details,
      retryAfterMs: waitMs,
    })
  })

  test('bad fields cross the wire with their names', () => {
    const violations = [{ field: 'a[0].b', description: 'is bad' }]
    expect(acrossTheWire(new InvalidInput('m', violations))).toMatchObject({ violations })
  })

  test('I23: the cause never leaves, and a bug leaves as a constant text', () => {
    for (const error of [
      new Unavailable('DEPENDENCY_UNAVAILABLE', 'm', {}, options),
      new Error('hunter2'),
      'hunter2',
      undefined,
    ]) {
      const reply = replyFor(error, 'inc_1')
      const bytes = Buffer.from(encodeDetails(reply)).toString('latin1')
      expect(`${reply.message} ${bytes}`).not.toContain('hunter2')
    }
    expect(acrossTheWire(new Error('hunter2'))).toMatchObject({
      kind: 'outcome-unknown',
      details: { incident_id: 'inc_1' },
    })
  })

  test('every reply has exactly one ErrorInfo, of our domain', () => {
    for (const [error] of ROWS) {
      const { details: parts } = Status.decode(encodeDetails(replyFor(error, '')))
      const infos = parts.filter((part) => part.typeUrl.endsWith('google.rpc.ErrorInfo'))
      expect(infos).toHaveLength(1)
      const [info] = infos.map((part) => ErrorInfo.decode(part.value))
      expect(info).toMatchObject({ domain: 'holdfast', reason: error.reason })
    }
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, -5, 0.4, 1_500.7])(
    'a wait of %d ms does not break the answer',
    (retryAfterMs) => {
      const error = new Conflict('KEY_IN_PROGRESS', 'm', {}, { retryAfterMs })
      expect(acrossTheWire(error)).toMatchObject({ kind: 'conflict', reason: 'KEY_IN_PROGRESS' })
    },
  )

  test('half a surrogate pair in a text does not break the answer', () => {
    const reply = replyFor(
      new NotFound('CART_NOT_FOUND', 'no 😀'.slice(0, -1), { a: '\ud800' }),
      '',
    )
    expect(() => encodeURI(reply.message)).not.toThrow()
    expect(() => encodeDetails(reply)).not.toThrow()
  })
})

describe('a status without our details', () => {
  const fromTransport = (code: GrpcStatus) =>
    errorFromStatus({ code, message: 'from afar', details: undefined }, undefined).kind

  test.each([
    [GrpcStatus.UNAVAILABLE, 'outcome-unknown'],
    [GrpcStatus.DEADLINE_EXCEEDED, 'outcome-unknown'],
    [GrpcStatus.CANCELLED, 'outcome-unknown'],
    [GrpcStatus.INTERNAL, 'outcome-unknown'],
    [GrpcStatus.UNKNOWN, 'outcome-unknown'],
    [GrpcStatus.DATA_LOSS, 'outcome-unknown'],
    [GrpcStatus.OK, 'outcome-unknown'],
    [GrpcStatus.RESOURCE_EXHAUSTED, 'outcome-unknown'],
    [GrpcStatus.NOT_FOUND, 'outcome-unknown'],
    [GrpcStatus.FAILED_PRECONDITION, 'outcome-unknown'],
    [GrpcStatus.ALREADY_EXISTS, 'outcome-unknown'],
    [GrpcStatus.UNIMPLEMENTED, 'unavailable'],
    [GrpcStatus.INVALID_ARGUMENT, 'invalid-input'],
    [GrpcStatus.OUT_OF_RANGE, 'invalid-input'],
    [GrpcStatus.UNAUTHENTICATED, 'unauthenticated'],
    [GrpcStatus.PERMISSION_DENIED, 'forbidden'],
    [GrpcStatus.ABORTED, 'conflict'],
  ])('I8: code %d is %s: nothing is called undone that may be done', (code, kind) => {
    expect(fromTransport(code)).toBe(kind)
  })

  test('details that cannot be read, or with a reason from the future, count as none', () => {
    const strange = encodeDetails({ ...replyFor(new Error('x'), ''), reason: 'NOT_INVENTED_YET' })
    for (const bytes of [new Uint8Array([255, 255]), new Uint8Array(), strange]) {
      const error = errorFromStatus(
        { code: GrpcStatus.UNAVAILABLE, message: 'm', details: bytes },
        undefined,
      )
      expect(error).toBeInstanceOf(OutcomeUnknown)
    }
  })
})
