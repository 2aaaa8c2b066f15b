import { randomUUIDv7 } from 'node:crypto'
import { Metadata, type ServerInterceptingCallInterface, status as GrpcStatus } from '@grpc/grpc-js'
import { InvalidInput, Overloaded, idFromUuid } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import { type StatusReply, replyFor } from './status.ts'
import { DETAILS_KEY, encodeDetails } from './status-details.ts'

/** A status on its way out, as grpc-js has it. */
type Outgoing = Parameters<ServerInterceptingCallInterface['sendStatus']>[0]

type Explain = (text: string) => InvalidInput | Overloaded

/** What grpc-js says of bytes it could not take, by the beginning of its text. */
const CALLERS_FAULT: readonly (readonly [string, Explain])[] = [
  ['Failed to decompress message', () => malformed('does not decompress')],
  ['Received a second request message', () => malformed('was sent twice')],
  ['Received no request message', () => malformed('was not sent')],
  ['Received message compressed with unsupported encoding', foreignEncoding],
  ['Received message larger than max', tooLarge],
  ['Received message that decompresses to a size larger than', tooLarge],
  ['Invalid grpc-timeout value', badTimeout],
]

/**
 * Gives the transport's own refusals the details ours have. grpc-js sends them past all
 * interceptors, and some say INTERNAL, which would be our fault, of what a caller sent.
 */
export function explainTransport(
  call: ServerInterceptingCallInterface,
  about: { readonly method: string; readonly log: Logger },
): void {
  const send = call.sendStatus.bind(call)
  call.sendStatus = (status) => send(explained(status, about))
}

function explained(
  status: Outgoing,
  about: { readonly method: string; readonly log: Logger },
): Outgoing {
  if (status.code === GrpcStatus.OK || status.metadata?.get(DETAILS_KEY).length) return status
  const text = status.details ?? ''
  const known = CALLERS_FAULT.find(([begin]) => text.startsWith(begin))
  if (known !== undefined) {
    const reply = replyFor(known[1](text), '')
    // gRPC's own codes stay, such as UNIMPLEMENTED for a second message; what is not ours does not.
    return withDetails({ ...reply, code: isOurs(status.code) ? reply.code : status.code })
  }
  if (!isOurs(status.code)) return status
  const incidentId = idFromUuid('incident', randomUUIDv7())
  const failure = new Error(text)
  about.log.error('The transport could not answer', { method: about.method, incidentId, failure })
  return withDetails(replyFor(failure, incidentId))
}

const isOurs = (code: GrpcStatus): boolean =>
  code === GrpcStatus.INTERNAL || code === GrpcStatus.UNKNOWN

/** A reply as the transport sends it, for what is answered without a handler. */
export function withDetails(reply: StatusReply): {
  readonly code: GrpcStatus
  readonly details: string
  readonly metadata: Metadata
} {
  const metadata = new Metadata()
  metadata.set(DETAILS_KEY, Buffer.from(encodeDetails(reply)))
  return { code: reply.code, details: reply.message, metadata }
}

function malformed(description: string): InvalidInput {
  return new InvalidInput(
    `One message is expected; it ${description}.`,
    [{ field: '', description }],
    'MALFORMED_MESSAGE',
  )
}

function foreignEncoding(): InvalidInput {
  return new InvalidInput(
    'Send messages plain, or compressed by gzip or deflate.',
    [{ field: 'grpc-encoding', description: 'is not identity, gzip or deflate' }],
    'MALFORMED_MESSAGE',
  )
}

function badTimeout(): InvalidInput {
  return new InvalidInput('grpc-timeout is a number and its unit, such as 5S.', [
    { field: 'grpc-timeout', description: 'is not a number and a unit' },
  ])
}

function tooLarge(text: string): Overloaded {
  const bytesMax = /\d+\)?$/.exec(text)?.[0].replace(')', '') ?? ''
  return new Overloaded(
    'MESSAGE_TOO_LARGE',
    `The message is larger than ${bytesMax} bytes; send less at once.`,
    { bytes_max: bytesMax },
  )
}
