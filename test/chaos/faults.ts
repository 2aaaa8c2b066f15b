import { unreachable } from '@holdfast/kernel'

/** One thing that goes wrong, and is mended after a while. */
export type Fault =
  /** Every copy of a process, or a server, dies by SIGKILL and is started again. */
  | { readonly kind: 'kill'; readonly target: string }
  /** Every copy of a process, or a server, stands still for `forMs` and goes on. */
  | { readonly kind: 'freeze'; readonly target: string; readonly forMs: number }
  /** The first process that comes to each of these points dies there by SIGKILL. */
  | { readonly kind: 'crash'; readonly points: readonly string[] }
  /** Every link between copies of the two is refused, cut, or loses its answers, for `forMs`. */
  | {
      readonly kind: 'link'
      readonly from: string
      readonly to: string
      readonly how: 'refuse' | 'cut' | 'drop-answers'
      readonly forMs: number
    }

/** Every process and server that a running marketplace has, as they are called everywhere. */
const TARGETS = [
  'session',
  'session-jobs',
  'cart',
  'cart-jobs',
  'inventory',
  'inventory-jobs',
  'payment',
  'payment-jobs',
  'seller',
  'seller-jobs',
  'seller-worker',
  'checkout',
  'checkout-jobs',
  'postgres',
  'redis',
  'nats',
  'temporal',
  'payment-simulator',
] as const

/** The places between two durable steps of a payment, in the order in which it comes to them. */
export const PAYMENT_POINTS = [
  'PaymentService.CreatePayment.done',
  'payment.open.written',
  'payment.open.answered',
  'payment.confirm.written',
  'payment.confirm.answered',
  'PaymentService.AuthorizePayment.done',
  'payment.capture.written',
  'payment.capture.answered',
  'PaymentService.CapturePayment.done',
] as const

/** Those of the stock and of the order itself; at `done` all is committed and nobody was told. */
export const ORDER_POINTS = [
  'InventoryService.PlaceHold.done',
  'InventoryService.PinHold.done',
  'checkout.pay.pinned',
  'checkout.pay.authorising',
  'checkout.pay.authorised',
  'checkout.pay.capturing',
  'checkout.pay.captured',
  'InventoryService.ConfirmHold.done',
  'checkout.pay.confirmed',
] as const

/** Those around it: what the buyer asks for, the cart's claim, and what is told to others. */
export const OUTER_POINTS = [
  'CartService.AddLine.done',
  'SessionService.RefreshSession.done',
  'CheckoutService.PlaceOrder.done',
  'CartService.ClaimForCheckout.done',
  'CartService.CompleteClaim.done',
  'outbox.fact.published',
  'outbox.state.published',
] as const

/** Longer than any time-out of one call, and shorter than what a buyer waits for. */
const LINK_MS = 6_000
/** Longer than leases and heartbeats. */
const FREEZE_MS = 5_000

/** The links that a purchase goes over. */
const LINKS: readonly { readonly from: string; readonly to: string }[] = [
  { from: 'checkout', to: 'cart' },
  { from: 'checkout', to: 'inventory' },
  { from: 'checkout', to: 'payment' },
  { from: 'checkout', to: 'temporal' },
  { from: 'checkout', to: 'postgres' },
  { from: 'inventory', to: 'postgres' },
  { from: 'payment', to: 'postgres' },
  { from: 'payment', to: 'provider' },
  { from: 'provider', to: 'payment' },
  { from: 'cart', to: 'postgres' },
  { from: 'cart', to: 'redis' },
  { from: 'session', to: 'redis' },
  { from: 'inventory-jobs', to: 'nats' },
  { from: 'seller-jobs', to: 'inventory' },
]

/** Everything that a long run does, one after the other. */
export const ALL_FAULTS: readonly Fault[] = [
  ...TARGETS.map((target) => ({ kind: 'kill' as const, target })),
  ...TARGETS.map((target) => ({ kind: 'freeze' as const, target, forMs: FREEZE_MS })),
  ...[...PAYMENT_POINTS, ...ORDER_POINTS, ...OUTER_POINTS].map((point) => ({
    kind: 'crash' as const,
    points: [point],
  })),
  ...(['refuse', 'cut', 'drop-answers'] as const).flatMap((how) =>
    LINKS.map((link) => ({ kind: 'link' as const, ...link, how, forMs: LINK_MS })),
  ),
]

/** The fault in words, the same for the same fault. */
export function faultName(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill ${fault.target}`
    case 'freeze':
      return `freeze ${fault.target}`
    case 'crash':
      return `crash at ${fault.points.join(', ')}`
    case 'link':
      return `${fault.how} ${fault.from} to ${fault.to}`
    default:
      return unreachable(fault)
  }
}
