import { elapsed } from '@holdfast/backing'
import {
  type Order,
  Order_State,
  type OrderTransition,
  type SellerAmounts,
} from '@holdfast/proto/checkout'
import { type Seller, Seller_State } from '@holdfast/proto/seller'
import type { Money } from '@holdfast/proto/type'
import Table from 'cli-table3'
import { moneyText, orderStateName } from './demo-buyer.ts'
import type { Check } from './demo-checks.ts'
import type { Endpoints } from './endpoints.ts'

const PLAIN = { style: { head: [], border: [], compact: true } }

/** The rows of the split: what is added and what goes to whom. */
const SPLIT_ROWS: readonly (readonly [string, keyof SellerAmounts])[] = [
  ['goods', 'goods'],
  ['shipping', 'shipping'],
  ['tax, paid on by the seller', 'sellerTax'],
  ['tax, paid on by the platform', 'platformTax'],
  ['the buyer pays', 'total'],
  ['commission', 'commission'],
  ['tax on the commission', 'commissionTax'],
  ['the seller gets', 'sellerShare'],
]

/** How the money of an order is split: a column per seller and their sum. */
export function splitTable(order: Order): string {
  const names = order.subOrders.map(({ displayName }) => displayName)
  const table = new Table({
    ...PLAIN,
    head: ['', ...names, 'together'],
    colAligns: ['left', ...names.map(() => 'right' as const), 'right'],
  })
  for (const [label, part] of SPLIT_ROWS) {
    const amounts = order.subOrders.map((sub) => sub.amounts?.[part])
    table.push([label, ...amounts.map(moneyText), moneyText(sumOf(amounts))])
  }
  return table.toString()
}

/** Nothing when an amount is missing: a sum of the rest would be wrong. */
function sumOf(amounts: readonly (Money | undefined)[]): Money | undefined {
  const [first] = amounts
  if (first === undefined) return undefined
  let minor = 0n
  for (const amount of amounts) {
    if (amount?.currencyCode !== first.currencyCode) return undefined
    minor += amount.minor
  }
  return { currencyCode: first.currencyCode, minor }
}

/** What a state of an order means for the people in it. */
const MEANINGS: Readonly<Partial<Record<Order_State, string>>> = {
  [Order_State.PENDING]: 'it is written down; nothing is held yet',
  [Order_State.RESERVED]: 'the units are held for this guest',
  [Order_State.PAYING]: 'money moves',
  [Order_State.PAID]: 'charged once, sold for good; the sellers are to ship',
  [Order_State.IN_REVIEW]: 'a person looks at the payment',
  [Order_State.ACTION_REQUIRED]: 'the bank wants something of the buyer',
  [Order_State.CANCELLING]: 'it is being undone',
  [Order_State.REJECTED]: 'it could not be reserved; nothing was charged',
  [Order_State.DECLINED]: 'the payment was refused; the units are free again',
  [Order_State.CANCELLED]: 'it was undone',
  [Order_State.EXPIRED]: 'it was not paid in time; the units are free again',
}

/** One state that an order entered, when, and what it means. */
export function transitionLine(order: Order, transition: OrderTransition): string {
  const { state, transitionTime } = transition
  const name = orderStateName(state).padEnd('RESERVED'.length)
  const beganMs = order.createTime?.getTime()
  const passedMs = beganMs === undefined ? undefined : transitionTime?.getTime()
  const when = passedMs === undefined ? '' : `after ${elapsed(passedMs - (beganMs ?? 0))}`
  return `${name}  ${when.padEnd('after 0.0 s'.length)}  ${MEANINGS[state] ?? ''}`.trimEnd()
}

/** The states a seller went through, as `APPLIED -> IN_REVIEW -> ACTIVE`. */
export function sellerPath({ history }: Seller): string {
  const nameOf = (state: Seller_State) =>
    Object.entries(Seller_State).find(([, value]) => value === state)?.[0] ?? 'UNKNOWN'
  return history.map(({ state }) => nameOf(state)).join(' -> ')
}

/** The checks, a line each. */
export function checkLines(checks: readonly Check[]): string {
  return checks
    .map(({ what, holds, found }) => `  ${holds ? 'yes' : 'NO '}  ${what} (${found})`)
    .join('\n')
}

/** From the project's folder, where a terminal is most likely. */
const CURL = 'node_modules/.bin/buf curl --protocol grpc --http2-prior-knowledge'

/** Where to look at this purchase, with three calls that work when pasted. */
export function whereToLook(options: {
  readonly endpoints: Endpoints
  readonly order: Order
  readonly accessToken: string
  readonly offerIds: readonly string[]
}): string {
  const { endpoints, order } = options
  const workflow = encodeURIComponent(`order/${order.orderId}`)
  const bearer = '-H "authorization: Bearer $HOLDFAST_TOKEN"'
  const offerIds = JSON.stringify(options.offerIds)
  const rpc = (service: string, method: string) =>
    `http://${endpoints.services[service.toLowerCase()]?.[0] ?? '?'}` +
    `/holdfast.${service.toLowerCase()}.v1.${service}Service/${method}`
  return [
    `  This purchase in Temporal's Web UI:`,
    `    ${endpoints.webUi ?? '?'}/namespaces/default/workflows/${workflow}`,
    '  gRPC (reflection is on) and metrics:',
    ...serviceLines(endpoints),
    '  Sellers join here:',
    `    ${endpoints.onboardingApi ?? '?'}/openapi.json`,
    `  To paste in another terminal, in this folder; the guest's token is good for 10 minutes:`,
    '',
    `HOLDFAST_TOKEN=${options.accessToken}`,
    `${CURL} ${bearer} -d '{"order_id":"${order.orderId}"}' ${rpc('Checkout', 'GetOrder')}`,
    `${CURL} ${bearer} -d '{}' ${rpc('Cart', 'GetCart')}`,
    `${CURL} ${bearer} -d '{"offer_ids":${offerIds}}' ${rpc('Seller', 'GetOffers')}`,
    '',
  ].join('\n')
}

function serviceLines({ processes }: Endpoints): string[] {
  return processes
    .filter(({ address }) => address !== undefined)
    .map(({ name, address, operationsAddress }) => {
      const metrics = operationsAddress === undefined ? '' : `http://${operationsAddress}/metrics`
      return `    ${name.padEnd(10)} ${(address ?? '').padEnd(16)} ${metrics}`.trimEnd()
    })
}
