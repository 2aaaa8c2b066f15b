import {
  type Metadata,
  type ServerInterceptor,
  type ServerInterceptingCallInterface,
  ServerInterceptingCall,
} from '@grpc/grpc-js'
import { type Clock, InvalidInput, type KnownError, Overloaded } from '@holdfast/kernel'
import { type Logger, counter } from '@holdfast/telemetry'
import type { PriorityClass } from './access.ts'
import { CLASS_KEY, handedClass } from './handed-class.ts'
import { type LoadGate, rankOf } from './load-gate.ts'
import { replyFor } from './status.ts'
import { explainTransport, withDetails } from './transport-status.ts'

/** Bound on all metadata of a call; grpc-js itself takes far more. */
export const METADATA_BYTES_MAX = 8_192

/** Metadata under which the deadline reaches the handler; a caller's own value is dropped. */
export const DEADLINE_KEY = 'holdfast-deadline-remaining-ms'

/** Load balancers ask for health just when there is too much to do: never counted, nor refused. */
const HEALTH_PREFIX = '/grpc.health.v1.Health/'

/** Headers of which grpc-js would silently drop or join a second one. */
const SINGLE_HEADERS = ['authorization', CLASS_KEY]

/** Tokens proven at once for a class that was handed on; under load more would add to it. */
const PROOFS_MAX = 32

const refusals = counter('holdfast_rpc_refused_total', 'Calls refused before decoding, by reason')

/** What admission needs to know of the server it stands in front of. */
export interface AdmissionOptions {
  readonly gate: LoadGate
  /** The class of a method by its full path; undefined for one that is not of the service. */
  readonly classOf: (path: string) => PriorityClass | undefined
  /** True when the header proves a service; only asked for a class that was handed on. */
  readonly isService: (authorization: string) => Promise<boolean>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Refuses before anything is decoded: too much metadata, a security header sent twice, too many
 * calls at once for the call's class. Hands the deadline on to the handler.
 */
export function createAdmission(options: AdmissionOptions): ServerInterceptor {
  const { gate, clock, log } = options
  const proveService = createProof(options.isService)
  return (method, call) => {
    explainTransport(call, { method: method.path, log })
    if (method.path.startsWith(HEALTH_PREFIX)) return healthCall(call, clock)
    const kind = method.responseStream || method.requestStream ? 'stream' : 'unary'
    const own = options.classOf(method.path) ?? 'report'
    let state: 'waiting' | 'inside' | 'over' = 'waiting'
    const countOut = (): void => {
      if (state === 'inside') gate.leave(kind)
      state = 'over'
    }
    const refuse = (refusal: KnownError, priority: PriorityClass): void => {
      refusals.add(1, { reason: refusal.reason, method: method.path, class: priority })
      call.sendStatus(withDetails(replyFor(refusal, '')))
    }
    const admit = (metadata: Metadata, pass: (metadata: Metadata) => void): void => {
      // It may have been given up while its token was proven.
      if (state === 'over') return gate.leave(kind)
      state = 'inside'
      setDeadline(metadata, call, clock)
      return pass(metadata)
    }
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const refusal = refuseMetadata(metadata)
            if (refusal !== undefined) return refuse(refusal, own)
            const handed = handedClass(metadata.get(CLASS_KEY)[0])
            const isRaise = handed !== undefined && rankOf(handed) < rankOf(own)
            // Anybody may step back, and nobody has to prove it.
            const asked = isRaise ? own : (handed ?? own)
            if (gate.enter({ kind, class: asked })) return admit(metadata, pass)
            if (!isRaise) return refuse(overloaded(), asked)
            return void proveService(metadata)
              .then((isProven) => {
                if (isProven && gate.enter({ kind, class: handed })) return admit(metadata, pass)
                return refuse(overloaded(), own)
              })
              // Nobody above hears of it, and unheard it would end the process.
              .catch((cause: unknown) => call.sendStatus(withDetails(replyFor(cause, ''))))
          },
          onCancel: countOut,
        }),
      sendStatus: (status, next) => {
        countOut()
        next(status)
      },
    })
  }
}

function healthCall(call: ServerInterceptingCallInterface, clock: Clock): ServerInterceptingCall {
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next({
        onReceiveMetadata: (metadata, pass) => {
          const refusal = refuseMetadata(metadata)
          if (refusal !== undefined) return call.sendStatus(withDetails(replyFor(refusal, '')))
          setDeadline(metadata, call, clock)
          pass(metadata)
        },
      }),
  })
}

/** Says whether the metadata proves a service; false when too many ask at once. */
function createProof(isService: (authorization: string) => Promise<boolean>) {
  let proving = 0
  return async (metadata: Metadata): Promise<boolean> => {
    const [authorization] = metadata.get('authorization')
    if (typeof authorization !== 'string' || proving >= PROOFS_MAX) return false
    proving += 1
    try {
      return await isService(authorization)
    } catch {
      return false
    } finally {
      proving -= 1
    }
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

function overloaded(): KnownError {
  return new Overloaded('OVERLOADED', 'Too many calls at once; repeat this one a little later.')
}

function setDeadline(
  metadata: Metadata,
  call: ServerInterceptingCallInterface,
  clock: Clock,
): void {
  const deadline = call.getDeadline()
  const at = typeof deadline === 'number' ? deadline : deadline.getTime()
  const remainingMs = at === Number.POSITIVE_INFINITY ? at : at - clock.now().getTime()
  metadata.set(DEADLINE_KEY, String(remainingMs))
}
