import { type Id, uuidOf } from '@holdfast/kernel'
import { ParkAction, type ResolveParkedOrderRequest } from '@holdfast/proto/checkout'
import { eventually } from '@holdfast/testkit'
import { named, newQuote, orderOf } from './makers.ts'
import { need, type Prepared } from './sample.ts'
import type { World } from './world.ts'

/** What must happen by itself has happened after this. */
const SOON_MS = 60_000

/** A method whose provider answers with another amount, which keeps a payment from going on. */
const METHOD_WRONG_AMOUNT = 'pm_sim_wrong_amount'

/**
 * An order that cannot go on by itself, and an operator's way out of it: its payment has gone from
 * the payment service's database, as if a volume had been lost.
 */
export async function newParkedOrder(world: World): Promise<Prepared<ResolveParkedOrderRequest>> {
  const { guest, quoteId } = await newQuote(world)
  const request = { ...orderOf(quoteId, METHOD_WRONG_AMOUNT), waitFor: 1 as const }
  const { order } = await guest.clients.checkout.placeOrder(request, world.scope())
  const { orderId, paymentId } = need(order)
  await world.loseRow('payment', 'payment', uuidOf(paymentId as Id<'payment'>))
  const { checkout } = world.as('operator')
  const parked = await eventually(
    async () => {
      const page = { pageSize: 100, pageToken: '' }
      const answer = await checkout.listParkedOrders(page, world.scope())
      return answer.parkedOrders.find((one) => one.orderId === orderId) ?? false
    },
    { withinMs: SOON_MS },
  )
  const { parkSeq } = parked
  const action = ParkAction.CANCEL
  return { request: { ...named(), orderId, parkSeq, action, reason: 'Nothing was taken.' } }
}
