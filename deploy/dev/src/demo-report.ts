import path from 'node:path'
import type { Order, SellerAmounts } from '@holdfast/proto/checkout'
import Table from 'cli-table3'
import { moneyText } from './demo-buyer.ts'
import type { Check } from './demo-checks.ts'
import type { Endpoints } from './endpoints.ts'

const PLAIN = { style: { head: [], border: [], compact: true } }

/** How the money of an order is split: a row per seller and their sum. */
export function splitTable(order: Order): string {
  const table = new Table({
    ...PLAIN,
    head: ['seller', 'goods', 'shipping', 'tax', 'buyer pays', 'commission', 'seller gets'],
  })
  for (const { displayName, amounts } of order.subOrders) {
    table.push([displayName, ...splitCells(amounts)])
  }
  const { goods, shipping, tax, total } = order.totals ?? {}
  const sums = [goods, shipping, tax, total].map(moneyText)
  table.push(['together', ...sums, '', ''])
  return table.toString()
}

function splitCells(amounts: SellerAmounts | undefined): string[] {
  const tax = {
    currencyCode: amounts?.total?.currencyCode ?? '',
    minor: (amounts?.sellerTax?.minor ?? 0n) + (amounts?.platformTax?.minor ?? 0n),
  }
  const commission = {
    currencyCode: amounts?.commission?.currencyCode ?? '',
    minor: (amounts?.commission?.minor ?? 0n) + (amounts?.commissionTax?.minor ?? 0n),
  }
  const { goods, shipping, total, sellerShare } = amounts ?? {}
  return [goods, shipping, tax, total, commission, sellerShare].map(moneyText)
}

/** The checks, a line each. */
export function checkLines(checks: readonly Check[]): string {
  return checks
    .map(({ what, holds, found }) => `  ${holds ? 'yes' : 'NO '}  ${what} (${found})`)
    .join('\n')
}

/** Where to look at this purchase, with three calls that work when pasted. */
export function whereToLook(options: {
  readonly endpoints: Endpoints
  readonly order: Order
  readonly accessToken: string
  readonly offerId: string
  /** The project's folder, where buf is. */
  readonly root: string
}): string {
  const { endpoints, order } = options
  const workflow = encodeURIComponent(`order/${order.orderId}`)
  const buf = path.join(options.root, 'node_modules', '.bin', 'buf')
  const curl = `${buf} curl --protocol grpc --http2-prior-knowledge`
  const bearer = '-H "authorization: Bearer $HOLDFAST_TOKEN"'
  const rpc = (service: string, method: string) =>
    `http://${endpoints.services[service.toLowerCase()]?.[0] ?? '?'}` +
    `/holdfast.${service.toLowerCase()}.v1.${service}Service/${method}`
  const metrics = endpoints.processes
    .filter(({ name, operationsAddress }) => name === 'checkout' && operationsAddress)
    .map(({ operationsAddress }) => `http://${operationsAddress}/metrics`)
  return [
    `  This purchase in Temporal's Web UI:`,
    `    ${endpoints.webUi ?? ''}/namespaces/default/workflows/${workflow}`,
    `  Metrics of checkout: ${metrics.join(' ')}`,
    `  Calls to paste, the token first (it is good for 10 minutes):`,
    `    HOLDFAST_TOKEN=${options.accessToken}`,
    `    ${curl} ${bearer} -d '{"order_id":"${order.orderId}"}' ${rpc('Checkout', 'GetOrder')}`,
    `    ${curl} ${bearer} -d '{}' ${rpc('Cart', 'GetCart')}`,
    `    ${curl} -d '{"offer_ids":["${options.offerId}"]}' ${bearer} ${rpc('Seller', 'GetOffers')}`,
  ].join('\n')
}
