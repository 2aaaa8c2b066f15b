import { randomUUID } from 'node:crypto'
import type { RequestOf, RpcMethodDefinition } from '@holdfast/rpc'
import { CODE, wants } from './row.ts'
import { settled } from './settled.ts'
import type { Target } from './target.ts'
import { effectsOf, namedBy, tablesOf } from './witness.ts'

/**
 * What is wrong with the answer to a call about a thing that is at its end, and with what it
 * changed, then or soon after; undefined when it is refused by its state and changes nothing.
 */
export async function problemWithEnded<M extends RpcMethodDefinition>(
  target: Target,
  about: {
    readonly path: string
    readonly method: M
    readonly request: RequestOf<M>
    readonly bearer: string
    readonly reason: string
    readonly code?: number
  },
): Promise<string | undefined> {
  // A new request: the key of one that was answered would answer it again.
  const request = { ...(about.request as object), requestId: randomUUID() }
  await settled(target)
  const answer = await target.raw.call({
    path: about.path,
    messages: [about.method.requestType.encode(request).finish()],
    bearer: about.bearer,
  })
  const tables = tablesOf(effectsOf(await settled(target), namedBy(request, about.bearer)))
  const problem = wants([about.code ?? CODE.failedPrecondition], [about.reason])(answer)
  return problem ?? (tables.length === 0 ? undefined : `it changed ${tables.join(', ')}`)
}
