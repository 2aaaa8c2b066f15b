import { randomUUID } from 'node:crypto'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { newId } from '@holdfast/runtime'
import { expect, test } from 'vitest'
import { ENDED } from './ended.ts'
import { problemWithEnded } from './ended-row.ts'
import { CODE } from './row.ts'
import { RPCS } from './services.ts'
import type { Answer } from './wire.ts'
import type { Change } from './witness.ts'

const method = CartServiceDefinition.methods.removeLine
const REFUSED: Answer = {
  code: CODE.failedPrecondition,
  reason: 'CART_CLAIMED',
  text: '',
  violations: [],
  messages: [],
}
const WRITTEN: Change = { table: 'cart', by: 'cart', isNew: false, names: new Set() }

/** What the row says of a service that answers so and changes this. */
async function problemOf(answer: Partial<Answer>, changed: readonly Change[] = []) {
  const first = { requestId: randomUUID(), cartId: newId('cart'), offerId: newId('offer') }
  const waiting: Change[] = []
  return problemWithEnded(
    {
      service: 'cart',
      raw: {
        call: async ({ messages }) => {
          const sent = method.requestType.decode(messages[0] ?? new Uint8Array(0))
          expect(sent.requestId).not.toBe(first.requestId)
          waiting.push(...changed)
          return { ...REFUSED, ...answer }
        },
        [Symbol.dispose]: () => undefined,
      },
      tokenFor: async (caller) => caller,
      changes: async () => waiting.splice(0),
    },
    {
      path: '/cart/RemoveLine',
      method,
      request: { ...first, expectedLineVersion: undefined },
      bearer: 'me',
      reason: 'CART_CLAIMED',
    },
  )
}

test('I10: what has ended and is changed, or refused for another reason, is noticed', async () => {
  expect(await problemOf({})).toBeUndefined()
  expect(await problemOf({ code: CODE.ok, reason: '' })).toContain('wanted status 9')
  expect(await problemOf({ reason: 'CART_EMPTY' })).toContain('wanted status 9 CART_CLAIMED')
  expect(await problemOf({ code: CODE.notFound })).toContain('wanted status 9')
  expect(await problemOf({}, [WRITTEN])).toBe('it changed cart')
  expect(await problemOf({}, [{ ...WRITTEN, table: 'outbox_message' }])).toContain('outbox')
})

test('of every RPC that changes something it is said what becomes of what has ended', () => {
  const changing = RPCS.filter(({ method: { requestType } }) =>
    Object.hasOwn(requestType.decode(new Uint8Array(0)) as object, 'requestId'),
  )
  expect(Object.keys(ENDED).toSorted()).toEqual(changing.map(({ name }) => name).toSorted())
})
