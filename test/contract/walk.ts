import { isDeepStrictEqual } from 'node:util'
import type { Id, IdKind } from '@holdfast/kernel'
import type { AccessRow, RequestOf, RpcMethodDefinition } from '@holdfast/rpc'
import type { Stranger } from './callers.ts'
import { hostileMessages } from './hostile.ts'
import { idsIn, unknownId, withId } from './ids.ts'
import { CODE, said, wants } from './row.ts'
import type { Prepared, Sample } from './sample.ts'
import { settled } from './settled.ts'
import type { CallerName, Target } from './target.ts'
import type { Answer } from './wire.ts'
import { type Change, effectsOf, namedBy, tablesOf } from './witness.ts'

/** The columns of the table that the walk prints. */
export const CELL_KINDS = [
  'valid',
  'no token',
  'bad token',
  'wrong audience',
  'other tenant',
  'unknown id',
  'repeat',
  'other content',
  'empty',
  'malformed',
] as const

/** One column. */
export type CellKind = (typeof CELL_KINDS)[number]

/** One wrong (or the one right) call and what was wrong about its answer, if anything. */
export interface Cell {
  readonly kind: CellKind
  /** Names the cell within its RPC. */
  readonly place: string
  /** What is wrong with the answer itself. */
  readonly wrongAnswer: string | undefined
  /** What it should not have changed, or that it changed nothing. */
  readonly wrongEffect: string | undefined
}

/** Everything the walk of one RPC needs. */
export interface Walk<World, M extends RpcMethodDefinition> {
  readonly world: World
  readonly target: Target
  /** `/holdfast.cart.v1.CartService/GetCart` */
  readonly path: string
  readonly method: M
  readonly row: AccessRow
  readonly sample: Sample<World, M>
  /** Callers with their audiences; those the row does not let in are tried. */
  readonly refusedCallers: readonly CallerName[]
  /** Everybody of another tenant whom the row lets in. */
  readonly strangers: readonly Stranger[]
  /** Whether the sample's caller sees the things of one tenant only. */
  readonly isTenant: boolean
  /** Another tenant's id of the kind, where there is one. */
  readonly foreignId: (kind: IdKind) => Id<IdKind> | undefined
  readonly seed: number
}

interface Expectation {
  readonly kind: CellKind
  /** Which of several of a kind, for the message. */
  readonly label?: string
  /** What the call does to the database; nothing unless said otherwise. */
  readonly effect?: 'some' | 'none'
  readonly check: (answer: Answer) => string | undefined
}

/** What is wrong with a cell, for a person; undefined when nothing is. */
export function problemOf({ place, wrongAnswer, wrongEffect }: Cell): string | undefined {
  const problem = wrongAnswer ?? wrongEffect
  return problem === undefined ? undefined : `${place}: ${problem}`
}

/**
 * Sends every wrong call of one RPC, then the right one and its repeats. Loops of the services go
 * on meanwhile; what they change counts against a call unless it is clearly of somebody else.
 */
export async function walkRpc<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
): Promise<readonly Cell[]> {
  const prepared = await walk.sample.prepare(walk.world)
  const { request } = prepared
  const other = await otherContent(walk, prepared)
  const caller = prepared.bearer ?? (await walk.target.tokenFor(walk.sample.caller))
  const judge = await createJudge(walk, caller)
  await sendOutsiders(walk, judge, request)
  await sendStrangers(walk, judge, request)
  await sendWrongIds(walk, judge, request)
  await sendBrokenBytes(walk, judge, request)
  await sendValid(walk, judge, request, other)
  return judge.cells
}

async function otherContent<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  { request, other }: Prepared<RequestOf<M>>,
): Promise<RequestOf<M> | undefined> {
  const { change, hasOneContent = false } = walk.sample
  if (hasOneContent || requestIdOf(request) === undefined) return undefined
  const changed = other ?? (await change?.(structuredClone(request), walk.world))
  if (changed === undefined) throw new Error(`The sample of ${walk.path} has no other content.`)
  return changed
}

/** What is sent, and the request that it was made of: a broken message names things as well. */
interface Message {
  readonly bytes: Uint8Array
  readonly request: unknown
}

interface Judge {
  readonly cells: Cell[]
  /** Sends one message and notes a cell: the answer, and that nothing changed unless it may. */
  send(expectation: Expectation, message: Message, bearer?: string): Promise<Answer>
  readonly caller: string
}

async function createJudge<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  caller: string,
): Promise<Judge> {
  const { target, path, method } = walk
  const cells: Cell[] = []
  const places = new Map<string, number>()
  await settled(target)
  return {
    cells,
    caller,
    send: async (expectation, message, bearer = caller) => {
      const { kind, check } = expectation
      const answer = await target.raw.call({
        path,
        messages: [message.bytes],
        bearer: bearer === '' ? undefined : bearer,
        firstMessageOnly: method.responseStream,
      })
      const effects = effectsOf(await target.changes(), namedBy(message.request, bearer))
      const wrongEffect = effectProblem(effects, expectation)
      // What a good answer set going is over before the next call is judged.
      if (answer.code === CODE.ok) await settled(target)
      const place = placeOf(expectation, places)
      cells.push({ kind, place, wrongAnswer: check(answer) ?? broken(answer), wrongEffect })
      return answer
    },
  }
}

function placeOf({ kind, label }: Expectation, places: Map<string, number>): string {
  const name = label === undefined ? kind : `${kind} (${label})`
  const count = (places.get(name) ?? 0) + 1
  places.set(name, count)
  return count === 1 ? name : `${name} no. ${count}`
}

/** Tables in which an answered call leaves its trace: sealed values that it opened. */
const AUDIT_TABLES = ['vault_opening']

function effectProblem(
  effects: readonly Change[],
  { kind, effect = 'none' }: Expectation,
): string | undefined {
  const answered = kind === 'valid' || kind === 'repeat'
  const changed = tablesOf(effects).filter((table) => !answered || !AUDIT_TABLES.includes(table))
  if (effect === 'some') return changed.length === 0 ? 'it changed nothing' : undefined
  return changed.length === 0 ? undefined : `it changed ${changed.join(', ')}`
}

/** What no answer may be, whatever was asked. */
function broken(answer: Answer): string | undefined {
  if (answer.code === undefined) return 'the call ended without a status'
  if (answer.code === CODE.internal || answer.code === CODE.unknown) return said(answer)
  return answer.code !== CODE.ok && answer.reason === ''
    ? `no reason in ${said(answer)}`
    : undefined
}

function refuses(answer: Answer): string | undefined {
  return answer.code === CODE.ok ? 'it was accepted' : undefined
}

/** Callers without a token, with a wrong one, and of a wrong audience. */
async function sendOutsiders<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  judge: Judge,
  request: RequestOf<M>,
): Promise<void> {
  const { row, target, refusedCallers } = walk
  const message = encode(walk, request)
  const open = row.ignoresToken === true
  if (!open && !row.allow.includes('anonymous')) {
    const check = wants([CODE.unauthenticated], ['TOKEN_MISSING'])
    await judge.send({ kind: 'no token', check }, message, '')
  }
  if (!open) {
    const check = wants([CODE.unauthenticated], ['TOKEN_INVALID'])
    await judge.send({ kind: 'bad token', check }, message, 'nobody.made.this')
  }
  for (const caller of open ? [] : refusedCallers) {
    const check = wants([CODE.permissionDenied])
    const token = await target.tokenFor(caller)
    await judge.send({ kind: 'wrong audience', label: caller, check }, message, token)
  }
}

/** I17: whoever else the row lets in learns as much as of things that are not. */
async function sendStrangers<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  judge: Judge,
  request: RequestOf<M>,
): Promise<void> {
  const { row, target, sample, strangers } = walk
  if (row.ignoresToken === true || sample.belongsToNobody === true) return
  const places = idsIn(request).filter(({ name }) => isOwned(sample, name))
  if (places.length === 0) return
  const nothing = places.reduce((made, place) => withId(made, place, unknownId(place)), request)
  for (const stranger of strangers) {
    const elsewise = sample.strangersGet?.[stranger]
    const check = elsewise ? wants([elsewise.code], [elsewise.reason]) : wants([CODE.notFound])
    const token = await target.tokenFor(stranger)
    const send = (kind: CellKind, one: RequestOf<M>, wanted: Expectation['check']) =>
      judge.send({ kind, label: `as ${stranger}`, check: wanted }, encode(walk, one), token)
    const missing = await send('unknown id', nothing, check)
    const alike = (answer: Answer): string | undefined =>
      check(answer) ?? (answer.reason === missing.reason ? undefined : unlike(missing, answer))
    await send('other tenant', request, alike)
  }
}

/** Whether an id of the request names something that has an owner and that must be there. */
function isOwned(sample: Pick<Sample<never, never>, 'openIds' | 'publicIds'>, name: string) {
  return sample.openIds?.includes(name) !== true && sample.publicIds?.includes(name) !== true
}

function unlike(unknown: Answer, foreign: Answer): string {
  return `I17: unknown got ${said(unknown)}, foreign got ${said(foreign)}`
}

/** Ids of things that are not, and of things that are another tenant's: both must answer alike. */
async function sendWrongIds<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  judge: Judge,
  request: RequestOf<M>,
): Promise<void> {
  for (const place of idsIn(request)) {
    if (walk.sample.openIds?.includes(place.name) === true) continue
    const unknown = await judge.send(
      { kind: 'unknown id', label: place.name, check: refuses },
      encode(walk, withId(request, place, unknownId(place))),
    )
    const foreign = walk.foreignId(place.kind)
    const isPublic = walk.sample.publicIds?.includes(place.name) === true
    if (foreign === undefined || !walk.isTenant || isPublic) continue
    const check = (answer: Answer): string | undefined => {
      const alike = answer.code === unknown.code && answer.reason === unknown.reason
      return alike ? undefined : unlike(unknown, answer)
    }
    await judge.send(
      { kind: 'other tenant', label: place.name, check },
      encode(walk, withId(request, place, foreign)),
    )
  }
}

async function sendBrokenBytes<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  judge: Judge,
  request: RequestOf<M>,
): Promise<void> {
  const check = wants([CODE.invalidArgument], ['MALFORMED_MESSAGE'])
  const valid = encode(walk, request).bytes
  for (const { kind, bytes } of hostileMessages(walk.method, valid, walk.seed)) {
    const message = { bytes, request }
    await judge.send({ kind: 'malformed', label: kind, check }, message)
    await judge.send({ kind: 'malformed', label: `${kind}, no token`, check }, message, '')
  }
  const hasKey = requestIdOf(request) !== undefined
  const empty = hasKey ? wants([CODE.invalidArgument]) : () => undefined
  await judge.send({ kind: 'empty', check: empty }, { bytes: new Uint8Array(0), request })
}

/** The right call, the same again, and other content under the same request_id. */
async function sendValid<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  judge: Judge,
  request: RequestOf<M>,
  other: RequestOf<M> | undefined,
): Promise<void> {
  const { sample } = walk
  const message = encode(walk, request)
  const isMutation = requestIdOf(request) !== undefined
  const check = wants([CODE.ok])
  const first = await judge.send(
    { kind: 'valid', effect: isMutation ? 'some' : 'none', check },
    message,
  )
  const again = (answer: Answer): string | undefined => {
    if (answer.code !== CODE.ok) return check(answer)
    const mustMatch = isMutation && sample.answersCurrent !== true
    const alike = !mustMatch || isDeepStrictEqual(answer.messages, first.messages)
    return alike ? undefined : 'I6: the repeat got another answer'
  }
  await judge.send({ kind: 'repeat', check: again }, message)
  if (other === undefined) return
  const reused = wants([CODE.invalidArgument], ['KEY_REUSED'])
  await judge.send({ kind: 'other content', check: reused }, encode(walk, other))
}

function encode<World, M extends RpcMethodDefinition>(
  walk: Walk<World, M>,
  request: RequestOf<M>,
): Message {
  return { bytes: walk.method.requestType.encode(request).finish(), request }
}

function requestIdOf(request: unknown): string | undefined {
  const { requestId } = request as { readonly requestId?: string }
  return requestId
}
