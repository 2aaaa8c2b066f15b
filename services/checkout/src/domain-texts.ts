import type { Order } from './domain.ts'

/** What the Web UI says about a run from its first moment on: ids and steps, no data of a buyer. */
export interface StartTexts {
  readonly summary: string
  readonly details: string
}

/** Histories hold no amounts, so an operator has to be told where they are (I23). */
const LOOK = [
  '**What was bought, for how much, and how far it is:** `CheckoutService/GetOrder` with the',
  "order's id. The order is the truth; this run takes it further, and holds neither amounts, goods",
  'nor addresses.',
].join(' ')

const HANDS_OFF = [
  'To act, use `CancelOrder` and, if parked, `ResolveParkedOrder`, which leave an audit row.',
  'Do not *Terminate*: stock and money would stay as they are. A run that is gone is begun again',
  'by *Reset*.',
].join(' ')

/** Texts of a purchase's run. */
export function purchaseTexts(order: Order): StartTexts {
  const from = sellersText(order)
  return {
    summary: `Purchase ${order.orderId} from ${from}`,
    details: paragraphs(
      `A buyer pays once for goods from ${from}: from the accepted quote to paid, or all undone.`,
      ids([
        ['Order', order.orderId],
        ['Buyer', order.buyerId],
        ['Quote accepted', order.quoteId],
        ['Cart', order.cartId],
        ['Stock hold', order.holdId],
        ['Payment', order.paymentId],
        ['Sellers', order.sellerIds.join(', ')],
      ]),
      LOOK,
      [
        '**Steps:** *prepare* holds stock, *pay* takes the money, *finish* closes order and cart.',
        'What cannot be paid is taken back: payment, stock, order with its cart.',
      ].join(' '),
      HANDS_OFF,
    ),
  }
}

/** Texts of a refund's run. */
export function refundTexts(order: Order): StartTexts {
  return {
    summary: `Refund of ${order.orderId}, bought from ${sellersText(order)}`,
    details: paragraphs(
      'The whole amount of an order goes back to its buyer.',
      ids([
        ['Order', order.orderId],
        ['Buyer', order.buyerId],
        ['Payment', order.paymentId],
        ['Refund', order.refundId],
        ['Stock hold', order.holdId],
        ['Sellers', order.sellerIds.join(', ')],
      ]),
      LOOK,
      [
        '**Steps:** *refund* sends the money, *restock* puts units back, *finish-refund* closes',
        'the order. There is no way back: a step that cannot go on is parked until it can.',
      ].join(' '),
    ),
  }
}

function sellersText({ sellerIds }: Order): string {
  return sellerIds.length === 1 ? '1 seller' : `${sellerIds.length} sellers`
}

function paragraphs(...texts: readonly string[]): string {
  return texts.join('\n\n')
}

function ids(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([what, id]) => `- ${what}: \`${id}\``).join('\n')
}
