import { parseId } from '@holdfast/kernel'
import { eventually } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { noteOnOrder, readOrder } from '../src/store-order.ts'
import { STATE, startCheckout } from './checkout-under-test.ts'

test('I10: an order is only written over the version it was read at', async () => {
  const checkout = await startCheckout()
  onTestFinished(async () => checkout[Symbol.asyncDispose]())
  const db = checkout.openDb()
  const paid = await checkout.newBuyer(1).buy()
  const orderId = parseId('order', paid.orderId, 'order_id')
  // Its run may write once more after it is paid, so the first write is tried until it is in time.
  const { read, written } = await eventually(async () => {
    const read = await readOrder(db, orderId)
    const written = await noteOnOrder(db, read, {})
    return written !== undefined && { read, written }
  }, STATE)
  expect(written.version).toBe(read.version + 1n)
  expect(await noteOnOrder(db, read, {})).toBeUndefined()
  expect((await readOrder(db, orderId)).version).toBeGreaterThanOrEqual(written.version)
})
