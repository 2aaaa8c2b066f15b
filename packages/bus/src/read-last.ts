import type { NatsConnection } from '@nats-io/transport-node'
import type { InMessage } from './follow.ts'
import { manager } from './stream.ts'
import { EPOCH_HEADER } from './subjects.ts'

/** The last message of each subject that has one, by subject; or that JetStream cannot be asked. */
export type LastMessages =
  | { readonly kind: 'ok'; readonly messages: ReadonlyMap<string, InMessage> }
  | { readonly kind: 'unavailable'; readonly cause: unknown }

/** Bound on subjects in one request; the server's own limit is 1,024. */
const SUBJECTS_MAX = 500

/** Reads the last message of each of these subjects, without wildcards. */
export async function readLast(
  connection: NatsConnection,
  options: { readonly stream: string; readonly subjects: readonly string[] },
): Promise<LastMessages> {
  const messages = new Map<string, InMessage>()
  try {
    const { direct } = await manager(connection)
    for (let start = 0; start < options.subjects.length; start += SUBJECTS_MAX) {
      const some = options.subjects.slice(start, start + SUBJECTS_MAX)
      const found = await direct.getLastMessagesFor(options.stream, { multi_last: some })
      for await (const message of found) {
        messages.set(message.subject, {
          subject: message.subject,
          data: message.data,
          sequence: message.seq,
          epoch: message.header.get(EPOCH_HEADER),
          header: (name) => (message.header.has(name) ? message.header.get(name) : undefined),
        })
      }
    }
    return { kind: 'ok', messages }
  } catch (cause) {
    return { kind: 'unavailable', cause }
  }
}
