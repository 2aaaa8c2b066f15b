import { randomUUID } from 'node:crypto'
import { uuidOf } from '@holdfast/kernel'
import { CartServiceDefinition, type RemoveLineRequest } from '@holdfast/proto/cart'
import { newId } from '@holdfast/runtime'
import { expect, test } from 'vitest'
import type { Sample } from './sample.ts'
import type { CallerName, Target } from './target.ts'
import { problemOf, walkRpc } from './walk.ts'
import type { Answer, RawCall } from './wire.ts'
import type { Change } from './witness.ts'

/** What a service may do wrong, each of which the walk must notice. */
type Mistake =
  | 'none'
  | 'lets anybody in'
  | 'lets any token in'
  | 'lets every audience in'
  | 'lets another tenant in'
  | 'tells foreign from missing'
  | 'writes before it refuses'
  | 'answers a repeat anew'
  | 'does a repeat again'
  | 'takes other content'
  | 'takes broken bytes'
  | 'breaks on broken bytes'
  | 'gives no reason'
  | 'does nothing'
  | 'writes once'
  | 'tells and forgets'
  | 'has others write'

const { method, tenants } = {
  method: CartServiceDefinition.methods.removeLine,
  tenants: ['me', 'you'],
}
const own = { cartId: newId('cart'), offerId: newId('offer') }
const foreign = newId('cart')

function answer(code: number, reason: string, message?: Uint8Array): Answer {
  return {
    code,
    reason,
    text: '',
    violations: [],
    messages: message === undefined ? [] : [message],
  }
}

/** A cart service of a few lines that makes one mistake. */
function createService(mistake: Mistake) {
  const writes: Change[] = []
  const write = (change: Partial<Change> = {}): void => {
    writes.push({ table: 'cart', by: 'cart', isNew: false, names: new Set(), ...change })
  }
  let hasWritten = false
  const done = new Map<string, { readonly content: string; readonly answer: Answer }>()
  const refuse = (code: number, reason: string): Answer => {
    if (mistake === 'writes before it refuses') write()
    if (mistake === 'writes once' && !hasWritten) write()
    if (mistake === 'tells and forgets') write({ table: 'outbox_message' })
    if (mistake === 'has others write')
      write({ by: 'cart-jobs', names: new Set([uuidOf(own.cartId)]) })
    hasWritten = true
    // A loop goes on with somebody else's cart, however often.
    write({ by: 'cart-jobs', names: new Set([randomUUID()]) })
    return answer(code, mistake === 'gives no reason' ? '' : reason)
  }
  const decide = (request: RemoveLineRequest, bearer: string): Answer => {
    if (request.requestId === '') return refuse(3, 'INVALID_FIELD')
    const isMine = bearer === 'me' || mistake === 'lets another tenant in'
    const reason =
      mistake === 'tells foreign from missing' && request.cartId === foreign ? 'THEIRS' : ''
    if (!isMine || request.cartId !== own.cartId) return refuse(5, reason || 'CART_NOT_FOUND')
    if (request.offerId !== own.offerId) return refuse(5, 'LINE_NOT_FOUND')
    const earlier = done.get(request.requestId)
    const content = String(request.expectedLineVersion)
    if (earlier !== undefined && earlier.content !== content && mistake !== 'takes other content') {
      return refuse(3, 'KEY_REUSED')
    }
    const isDone = earlier === undefined || mistake === 'does a repeat again'
    if (isDone && mistake !== 'does nothing') write()
    if (earlier !== undefined && mistake !== 'answers a repeat anew') return earlier.answer
    const given = answer(0, '', Uint8Array.of(done.size))
    done.set(request.requestId, { content, answer: given })
    return mistake === 'answers a repeat anew' ? answer(0, '', Buffer.from(randomUUID())) : given
  }
  const call = async ({ messages, bearer = '' }: RawCall): Promise<Answer> => {
    const request = decode(messages[0] ?? new Uint8Array(0))
    if (request === undefined && mistake === 'breaks on broken bytes') return answer(13, 'INTERNAL')
    if (request === undefined && mistake !== 'takes broken bytes') {
      return refuse(3, 'MALFORMED_MESSAGE')
    }
    if (request === undefined) return answer(0, '')
    if (bearer === '' && mistake !== 'lets anybody in') return refuse(16, 'TOKEN_MISSING')
    const isKnown = [...tenants, 'service:cart', ''].includes(bearer)
    if (!isKnown && mistake !== 'lets any token in') return refuse(16, 'TOKEN_INVALID')
    const isBuyer = bearer !== 'service:cart' || mistake === 'lets every audience in'
    return isBuyer ? decide(request, tenants.includes(bearer) ? bearer : 'me') : refuse(7, 'WRONG')
  }
  return { call, changes: async () => writes.splice(0) }
}

function decode(bytes: Uint8Array): RemoveLineRequest | undefined {
  try {
    return method.requestType.decode(bytes)
  } catch {
    return undefined
  }
}

const sample: Sample<undefined, typeof method> = {
  caller: 'guest',
  prepare: async () => ({
    request: { requestId: randomUUID(), ...own, expectedLineVersion: undefined },
  }),
  change: (request) => ({ ...request, expectedLineVersion: 1n }),
}

async function problemsWith(mistake: Mistake): Promise<string[]> {
  const service = createService(mistake)
  const names: Partial<Record<CallerName, string>> = { guest: 'me', otherGuest: 'you' }
  const target: Target = {
    service: 'cart',
    raw: { call: service.call, [Symbol.dispose]: () => undefined },
    tokenFor: async (caller) => names[caller] ?? caller,
    changes: service.changes,
  }
  const cells = await walkRpc({
    world: undefined,
    target,
    path: '/cart/RemoveLine',
    method,
    row: { allow: ['buyer'], class: 'browse' },
    sample,
    refusedCallers: ['service:cart'],
    strangers: ['otherGuest'],
    isTenant: true,
    foreignId: (kind) => (kind === 'cart' ? foreign : undefined),
    seed: 1,
  })
  return cells.flatMap((cell) => problemOf(cell) ?? [])
}

test('a service that does everything right passes the walk', async () => {
  expect(await problemsWith('none')).toEqual([])
})

test.each<[Mistake, RegExp]>([
  ['lets anybody in', /^no token: wanted status 16/],
  ['lets any token in', /^bad token: wanted status 16/],
  ['lets every audience in', /^wrong audience \(service:cart\): wanted status 7/],
  ['lets another tenant in', /^other tenant \(as otherGuest\): wanted status 5/],
  ['tells foreign from missing', /^other tenant \(cartId\): I17/],
  ['writes before it refuses', /^no token: it changed cart/],
  ['writes once', /^no token: it changed cart/],
  ['tells and forgets', /^no token: it changed outbox_message/],
  ['has others write', /^no token: it changed cart/],
  ['answers a repeat anew', /^repeat: I6/],
  ['does a repeat again', /^repeat: it changed cart/],
  ['takes other content', /^other content: wanted status 3 KEY_REUSED/],
  ['takes broken bytes', /^malformed \(truncated\): wanted status 3 MALFORMED_MESSAGE/],
  ['breaks on broken bytes', /^malformed \(truncated\): wanted status 3/],
  ['gives no reason', /wanted status 16 TOKEN_MISSING, got status 16 {2}/],
  ['does nothing', /^valid: it changed nothing/],
])('the walk notices a service that %s', async (mistake, problem) => {
  const problems = await problemsWith(mistake)
  expect(problems.filter((one) => problem.test(one))).not.toEqual([])
})
