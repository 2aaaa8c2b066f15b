import { CartServiceDefinition } from '@holdfast/proto/cart'
import { CheckoutServiceDefinition } from '@holdfast/proto/checkout'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import { SellerServiceDefinition } from '@holdfast/proto/seller'
import { SessionServiceDefinition } from '@holdfast/proto/session'
import type {
  AccessRow,
  AccessTable,
  RpcMethodDefinition,
  RpcServiceDefinition,
  ServiceName,
} from '@holdfast/rpc'
import { access as cartAccess } from '@holdfast/service-cart/access'
import { access as checkoutAccess } from '@holdfast/service-checkout/access'
import { access as inventoryAccess } from '@holdfast/service-inventory/access'
import { access as paymentAccess } from '@holdfast/service-payment/access'
import { access as sellerAccess } from '@holdfast/service-seller/access'
import { access as sessionAccess } from '@holdfast/service-session/access'
import type { Sample, Samples } from './sample.ts'
import { cartSamples } from './samples-cart.ts'
import { checkoutSamples } from './samples-checkout.ts'
import { inventorySamples } from './samples-inventory.ts'
import { paymentSamples } from './samples-payment.ts'
import { sellerSamples } from './samples-seller.ts'
import { sessionSamples } from './samples-session.ts'
import type { World } from './world.ts'

/** One RPC with everything the walk reads: its contract, who may call it, one valid request. */
export interface RpcUnderWalk {
  readonly service: ServiceName
  /** `PlaceHold` */
  readonly name: string
  /** `/holdfast.inventory.v1.InventoryService/PlaceHold` */
  readonly path: string
  readonly method: RpcMethodDefinition
  readonly row: AccessRow
  readonly sample: Sample<World, RpcMethodDefinition>
}

function rpcsOf<S extends RpcServiceDefinition>(
  service: ServiceName,
  definition: S,
  access: AccessTable<S>,
  samples: Samples<World, S>,
): RpcUnderWalk[] {
  return Object.entries(definition.methods).map(([key, method]) => ({
    service,
    name: method.name,
    path: `/${definition.fullName}/${method.name}`,
    method,
    row: access[key as keyof S['methods']],
    // Each sample fits its own method, which the loop cannot say in types.
    sample: samples[key as keyof S['methods']] as unknown as RpcUnderWalk['sample'],
  }))
}

/** Every RPC of every service. A new one without an access row or a sample does not compile. */
export const RPCS: readonly RpcUnderWalk[] = [
  ...rpcsOf('session', SessionServiceDefinition, sessionAccess, sessionSamples),
  ...rpcsOf('inventory', InventoryServiceDefinition, inventoryAccess, inventorySamples),
  ...rpcsOf('payment', PaymentServiceDefinition, paymentAccess, paymentSamples),
  ...rpcsOf('seller', SellerServiceDefinition, sellerAccess, sellerSamples),
  ...rpcsOf('cart', CartServiceDefinition, cartAccess, cartSamples),
  ...rpcsOf('checkout', CheckoutServiceDefinition, checkoutAccess, checkoutSamples),
]
