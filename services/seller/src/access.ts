import type { SellerServiceDefinition } from '@holdfast/proto/seller'
import type { AccessTable } from '@holdfast/rpc'

const OPERATORS = { allow: ['operator'], class: 'browse' } as const
const TRADERS = { allow: ['seller:owner', 'seller:manager'], class: 'browse' } as const
const ANYONE = { allow: ['buyer', 'seller', 'operator', 'service'], class: 'browse' } as const

/** Who may call each RPC, and what is shed last under load. */
export const access = {
  applySeller: { allow: ['account'], class: 'browse' },
  getSeller: { allow: ['seller', 'account', 'service', 'operator'], class: 'browse' },
  submitRequirement: { allow: ['seller:owner', 'account'], class: 'browse' },
  reviewRequirement: OPERATORS,
  approveSeller: OPERATORS,
  rejectSeller: OPERATORS,
  suspendSeller: OPERATORS,
  reinstateSeller: OPERATORS,
  createOffer: TRADERS,
  updateOffer: TRADERS,
  getOffers: ANYONE,
  listOffers: ANYONE,
  setShippingProfile: TRADERS,
  getStockView: { allow: ['seller', 'operator'], class: 'browse' },
} satisfies AccessTable<SellerServiceDefinition>
