import { Metadata, type ServerInterceptor, ServerInterceptingCall } from '@grpc/grpc-js'
import { type Clock, InvalidInput, Overloaded, type KnownError } from '@holdfast/kernel'
import { counter } from '@holdfast/telemetry'
import { replyFor } from './status.ts'
import { DETAILS_KEY, encodeDetails } from './status-details.ts'

/** Calls served at once; more would only wait for the same two database connections. */
export const IN_FLIGHT_MAX = 256
/** Streams held open at once: each costs memory, not work. */
export const STREAMS_MAX = 2_048
/** Bound on all metadata of a call; grpc-js itself takes far more. */
export const METADATA_BYTES_MAX = 8_192

/** Metadata under which the deadline reaches the handler; a caller's own value is dropped. */
export const DEADLINE_KEY = 'holdfast-deadline-remaining-ms'

/** Load balancers ask for health just when there is too much to do: never counted, nor refused. */
const HEALTH_PREFIX = '/grpc.health.v1.Health/'

/** Headers of which grpc-js would silently drop or join a second one. */
const SINGLE_HEADERS = ['authorization', 'holdfast-class']

const refusals = counter('holdfast_rpc_refused_total', 'Calls refused before decoding, by reason')

/** What is being served at present. */
export interface AdmissionGauge {
  inFlight(): number
  streams(): number
}

/**
 * Refuses before anything is decoded: too much metadata, a security header sent twice, too many
 * calls at once. Hands the deadline on to the handler.
 */
export function createAdmission(clock: Clock): {
  readonly interceptor: ServerInterceptor
  readonly gauge: AdmissionGauge
} {
  const active = { unary: 0, stream: 0 }
  const interceptor: ServerInterceptor = (method, call) => {
    const isHealth = method.path.startsWith(HEALTH_PREFIX)
    const kind = method.responseStream || method.requestStream ? 'stream' : 'unary'
    let counted = false
    const countOut = (): void => {
      if (counted) active[kind] -= 1
      counted = false
    }
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const refusal =
              refuseMetadata(metadata) ?? (isHealth ? undefined : refuseLoad(active, kind))
            if (refusal !== undefined) {
              refusals.add(1, { reason: refusal.reason, method: method.path })
              return call.sendStatus(statusFor(refusal))
            }
            if (!isHealth) active[kind] += 1
            counted = !isHealth
            metadata.set(DEADLINE_KEY, String(remainingMs(call.getDeadline(), clock)))
            pass(metadata)
          },
          onCancel: countOut,
        }),
      sendStatus: (status, next) => {
        countOut()
        next(status)
      },
    })
  }
  return {
    interceptor,
    gauge: { inFlight: () => active.unary, streams: () => active.stream },
  }
}

function refuseMetadata(metadata: Metadata): KnownError | undefined {
  let bytes = 0
  for (const key of Object.keys(metadata.getMap())) {
    // Binary headers come as several values, of which the map has the first alone.
    for (const value of metadata.get(key)) bytes += key.length + value.length
  }
  if (bytes > METADATA_BYTES_MAX) {
    return new InvalidInput(`All metadata together must be at most ${METADATA_BYTES_MAX} bytes.`, [
      { field: 'metadata', description: 'is too large' },
    ])
  }
  for (const name of SINGLE_HEADERS) {
    const values = metadata.get(name)
    if (values.length > 1 || values.some((value) => String(value).includes(','))) {
      return new InvalidInput(`Send ${name} once.`, [
        { field: name, description: 'was sent more than once' },
      ])
    }
  }
  return undefined
}

function refuseLoad(
  active: { readonly unary: number; readonly stream: number },
  kind: 'unary' | 'stream',
): KnownError | undefined {
  const hasRoom = kind === 'unary' ? active.unary < IN_FLIGHT_MAX : active.stream < STREAMS_MAX
  if (hasRoom) return undefined
  return new Overloaded('OVERLOADED', 'Too many calls at once; repeat this one a little later.')
}

function statusFor(refusal: KnownError): { code: number; details: string; metadata: Metadata } {
  const reply = replyFor(refusal, '')
  const metadata = new Metadata()
  metadata.set(DETAILS_KEY, Buffer.from(encodeDetails(reply)))
  return { code: reply.code, details: reply.message, metadata }
}

function remainingMs(deadline: Date | number, clock: Clock): number {
  const at = typeof deadline === 'number' ? deadline : deadline.getTime()
  return at === Number.POSITIVE_INFINITY ? at : at - clock.now().getTime()
}
