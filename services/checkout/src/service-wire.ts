import { type SellerId, present } from '@holdfast/kernel'
import {
  type Order as OrderMessage,
  Order_State,
  type OrderSummary as OrderSummaryMessage,
  ParkAction as WireParkAction,
  type ParkedOrder,
  type Quote as QuoteMessage,
  type QuoteLine as QuoteLineMessage,
  type QuoteSeller,
  type QuotedShipping as QuotedShippingMessage,
  QuotedShipping_Source,
  type SellerAmounts as SellerAmountsMessage,
  type SubOrder as SubOrderMessage,
  SubOrder_State,
  type TaxAmount as TaxAmountMessage,
  type Totals as TotalsMessage,
} from '@holdfast/proto/checkout'
import { Hold_State } from '@holdfast/proto/inventory'
import { Payment_State } from '@holdfast/proto/payment'
import {
  ActorKind,
  type Address as AddressMessage,
  ErrorReason,
  type Money,
  TaxRemitter,
} from '@holdfast/proto/type'
import type { OrderState, SubOrder, SubOrderState, WholeOrder } from './domain.ts'
import { type ParkAction, allowedActions, parkReason } from './domain-park.ts'
import {
  type QuoteLine,
  type QuotedShipping,
  type SellerAmounts,
  type SellerPart,
  type TaxAmount,
  type Totals,
  totalsOfPart,
} from './domain-quote.ts'
import type { OrderSummary, Park, Quote } from './store.ts'

type InCurrency = (minor: bigint) => Money

function moneyIn(currency: string): InCurrency {
  return (minor) => ({ currencyCode: currency, minor })
}

/** A quote as the wire has it. */
export function quoteMessage(quote: Quote, shipTo: AddressMessage | undefined): QuoteMessage {
  const money = moneyIn(quote.currency)
  return {
    quoteId: quote.quoteId,
    buyerId: quote.buyerId,
    cartId: quote.cartId,
    cartVersion: quote.cartVersion,
    sellers: quote.sellers.map((part) => sellerMessage(part, money)),
    totals: totalsMessage(quote.totals, money),
    shipTo,
    createTime: quote.createdAt,
    expireTime: quote.expiresAt,
  }
}

function sellerMessage(part: SellerPart, money: InCurrency): QuoteSeller {
  return {
    sellerId: part.sellerId,
    displayName: part.displayName,
    lines: part.lines.map((line) => lineMessage(line, money)),
    shippingOptions: part.shipping.map((option) => shippingMessage(option, money)),
    commissionBasisPoints: part.commissionBasisPoints,
    amounts: amountsMessage(part.amounts, money),
  }
}

function lineMessage(line: QuoteLine, money: InCurrency): QuoteLineMessage {
  return {
    offerId: line.offerId,
    offerVersion: line.offerVersion,
    itemId: line.itemId,
    sku: line.sku,
    title: line.title,
    quantity: line.quantity,
    unitPrice: money(line.unitPriceMinor),
    goods: money(line.goodsMinor),
    tax: taxMessage(line.tax, money),
    total: money(line.goodsMinor + line.tax.minor),
    commission: money(line.commissionMinor),
  }
}

function shippingMessage(option: QuotedShipping, money: InCurrency): QuotedShippingMessage {
  return {
    optionKey: option.optionKey,
    label: option.label,
    price: money(option.priceMinor),
    tax: taxMessage(option.tax, money),
    daysMin: option.daysMin,
    daysMax: option.daysMax,
    chosen: option.isChosen,
    source: QuotedShipping_Source[option.source],
  }
}

function taxMessage(tax: TaxAmount, money: InCurrency): TaxAmountMessage {
  return {
    rateBasisPoints: tax.basisPoints,
    remitter: TaxRemitter[tax.remitter],
    included: tax.isIncluded,
    amount: money(tax.minor),
  }
}

function amountsMessage(amounts: SellerAmounts, money: InCurrency): SellerAmountsMessage {
  return {
    goods: money(amounts.goodsMinor),
    shipping: money(amounts.shippingMinor),
    sellerTax: money(amounts.sellerTaxMinor),
    platformTax: money(amounts.platformTaxMinor),
    total: money(totalsOfPart(amounts).totalMinor),
    commission: money(amounts.commissionMinor),
    commissionTax: money(amounts.commissionTaxMinor),
    sellerShare: money(amounts.sellerShareMinor),
  }
}

function totalsMessage(totals: Totals, money: InCurrency): TotalsMessage {
  return {
    goods: money(totals.goodsMinor),
    shipping: money(totals.shippingMinor),
    tax: money(totals.taxMinor),
    total: money(totals.totalMinor),
  }
}

/** Through whose eyes an order is shown: all of it, or one seller's part alone (I17). */
export type OrderView =
  | { readonly kind: 'whole' }
  | { readonly kind: 'seller'; readonly sellerId: SellerId }

/** An order as the wire has it; a seller learns nothing of the buyer or of other parts. */
export function orderMessage(
  order: WholeOrder,
  options: { readonly view: OrderView; readonly shipTo?: AddressMessage | undefined },
): OrderMessage {
  const money = moneyIn(order.currency)
  const { view } = options
  const isWhole = view.kind === 'whole'
  const sellers = isWhole
    ? order.sellers
    : order.sellers.filter((s) => s.sellerId === view.sellerId)
  const own = isWhole ? undefined : present(sellers[0], "the seller's own part")
  return {
    orderId: order.orderId,
    buyerId: isWhole ? order.buyerId : '',
    quoteId: order.quoteId,
    cartId: isWhole ? order.cartId : '',
    state: Order_State[order.state],
    version: order.version,
    totals: totalsMessage(own === undefined ? order.totals : totalsOfPart(own.amounts), money),
    subOrders: sellers.map((part) => subOrderMessage(order, part, money)),
    holdId: isWhole ? order.holdId : '',
    holdState: Hold_State[order.holdState ?? 'UNSPECIFIED'],
    paymentId: isWhole ? order.paymentId : '',
    paymentState: Payment_State[order.paymentState ?? 'UNSPECIFIED'],
    actionUrl: isWhole ? order.actionUrl : '',
    actionExpireTime: isWhole ? order.actionExpiresAt : undefined,
    failureReason: ErrorReason[order.failureReason ?? 'UNSPECIFIED'],
    failureIds: isWhole ? [...order.failureIds] : [],
    cancelRequested: order.isCancelRequested,
    parked: isWhole && order.isParked,
    shipTo: options.shipTo,
    createTime: order.createdAt,
    updateTime: order.updatedAt,
    expireTime: order.state === 'RESERVED' ? order.expiresAt : undefined,
    history: order.history.map((transition) => ({
      state: Order_State[transition.state],
      version: transition.version,
      actor: ActorKind[transition.actor],
      reason: ErrorReason[transition.reason ?? 'UNSPECIFIED'],
      transitionTime: transition.at,
    })),
  }
}

function subOrderMessage(order: WholeOrder, part: SellerPart, money: InCurrency): SubOrderMessage {
  const subOrder: SubOrder = present(
    order.subOrders.find((one) => one.sellerId === part.sellerId),
    'the sub-order of the part',
  )
  const chosen = part.shipping.find((option) => option.isChosen)
  return {
    subOrderId: subOrder.subOrderId,
    sellerId: part.sellerId,
    displayName: part.displayName,
    state: subOrderState(subOrder.state),
    version: subOrder.version,
    lines: part.lines.map((line) => lineMessage(line, money)),
    shipping: chosen && shippingMessage(chosen, money),
    commissionBasisPoints: part.commissionBasisPoints,
    amounts: amountsMessage(part.amounts, money),
    updateTime: subOrder.updatedAt,
    history: subOrder.history.map((transition) => ({
      state: subOrderState(transition.state),
      version: transition.version,
      actor: ActorKind[transition.actor],
      transitionTime: transition.at,
    })),
  }
}

function subOrderState(state: SubOrderState): SubOrder_State {
  return state === 'UNPAID' ? SubOrder_State.UNSPECIFIED : SubOrder_State[state]
}

/** An order in a list. */
export function summaryMessage(summary: OrderSummary): OrderSummaryMessage {
  return {
    orderId: summary.orderId,
    state: Order_State[summary.state],
    version: summary.version,
    total: moneyIn(summary.currency)(summary.totalMinor),
    subOrderCount: summary.subOrderCount,
    parked: summary.isParked,
    createTime: summary.createdAt,
    updateTime: summary.updatedAt,
  }
}

const STATE_NAMES = Object.entries(Order_State) as readonly (readonly [string, Order_State])[]

/** The name of a wire state that the schema let through. */
export function orderStateOf(state: Order_State | undefined): OrderState | undefined {
  if (state === undefined) return undefined
  return STATE_NAMES.find(([, value]) => value === state)?.[0] as OrderState | undefined
}

const WIRE_ACTIONS: Readonly<Record<ParkAction, WireParkAction>> = {
  retry: WireParkAction.RETRY,
  cancel: WireParkAction.CANCEL,
}

/** The action of a wire value that the schema let through. */
export function parkActionOf(action: WireParkAction): ParkAction {
  return action === WireParkAction.CANCEL ? 'cancel' : 'retry'
}

/** A parked order as the wire has it. */
export function parkMessage(park: Park): ParkedOrder {
  return {
    orderId: park.orderId,
    parkSeq: BigInt(park.parkSeq),
    step: park.step,
    reason: ErrorReason[parkReason(park.reason)],
    detail: park.reason,
    allowedActions: allowedActions(park.step).map((action) => WIRE_ACTIONS[action]),
    orderState: Order_State[park.orderState],
    parkTime: park.parkedAt,
    chosenAction:
      park.action === undefined ? WireParkAction.UNSPECIFIED : WIRE_ACTIONS[park.action],
    chooseTime: park.decidedAt,
  }
}
