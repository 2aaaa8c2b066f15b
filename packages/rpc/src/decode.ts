import { InvalidInput, Overloaded } from '@holdfast/kernel'
import type { MessageType, RpcServiceDefinition } from './definition.ts'

/** Stands where a request would, when its bytes could not be taken. */
export class UndecodableRequest {
  readonly failure: InvalidInput | Overloaded
  constructor(failure: InvalidInput | Overloaded) {
    this.failure = failure
  }
}

/** Server's cap on one message; methods may set a smaller one. */
export const REQUEST_BYTES_MAX = 1_048_576

/**
 * The definition with decoders that never throw (grpc-js would answer INTERNAL) and responses that
 * are taken as they are, since handlers give complete messages.
 */
export function bindDefinition<S extends RpcServiceDefinition>(
  definition: S,
  requestBytesMax: (method: string) => number,
): S {
  const methods = Object.fromEntries(
    Object.entries(definition.methods).map(([name, method]) => [
      name,
      {
        ...method,
        requestType: withSafeDecode(method.requestType, requestBytesMax(name)),
        responseType: { ...method.responseType, fromPartial: undefined },
      },
    ]),
  )
  return { ...definition, methods }
}

function withSafeDecode(type: MessageType<unknown>, bytesMax: number): MessageType<unknown> {
  return {
    ...type,
    decode: (bytes) => {
      if (bytes.length > bytesMax) return new UndecodableRequest(tooLarge(bytesMax))
      try {
        return type.decode(bytes)
      } catch (cause) {
        return new UndecodableRequest(malformed(cause))
      }
    },
  }
}

function tooLarge(bytesMax: number): Overloaded {
  return new Overloaded(
    'MESSAGE_TOO_LARGE',
    `The message is larger than ${bytesMax} bytes; send less at once.`,
    { bytes_max: String(bytesMax) },
  )
}

function malformed(cause: unknown): InvalidInput {
  return new InvalidInput(
    'The message is not valid protobuf of this type.',
    [{ field: '', description: 'could not be decoded' }],
    'MALFORMED_MESSAGE',
    { cause },
  )
}
