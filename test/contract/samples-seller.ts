import { randomUUID } from 'node:crypto'
import {
  Offer_State,
  Requirement_State,
  ReviewRequirementRequest_Decision as Decision,
  type SellerServiceDefinition,
} from '@holdfast/proto/seller'
import { TaxCategory } from '@holdfast/proto/type'
import {
  euro,
  named,
  newBuyer,
  newOffer,
  newSeller,
  offerOf,
  profileOf,
  type SellerStage,
} from './makers.ts'
import { need, type Samples } from './sample.ts'
import type { World } from './world.ts'

async function inStage(world: World, stage: SellerStage) {
  const { seller } = await newSeller(world, stage)
  return { sellerId: seller.sellerId, expectedVersion: seller.version }
}

async function newRequirement(world: World, state: Requirement_State) {
  const stage = state === Requirement_State.REQUIRED ? 'APPLIED' : 'SUBMITTED'
  const { seller, applicant } = await newSeller(world, stage)
  const { sellerId } = seller
  const answer = await world.as('operator').seller.getSeller({ sellerId }, world.scope())
  const requirement = need(answer.requirements.find((one) => one.state === state))
  return { sellerId, requirement, applicant }
}

const otherReason = <R extends { readonly reason: string }>(request: R): R => ({
  ...request,
  reason: 'Another one.',
})

/** One valid request for each RPC of SellerService. */
export const sellerSamples: Samples<World, SellerServiceDefinition> = {
  applySeller: {
    caller: 'account',
    prepare: async (world) => ({
      request: {
        ...named(),
        displayName: 'Shop',
        legalName: `Shop ${randomUUID()} GmbH`,
        countryCode: 'DE',
        currencyCode: 'EUR',
      },
      bearer: (await newBuyer(world)).bearer,
    }),
    change: (request) => ({ ...request, displayName: 'Other shop' }),
    belongsToNobody: true,
  },
  getSeller: {
    caller: 'owner',
    prepare: async (world) => ({ request: { sellerId: world.sellerOf('owner') } }),
  },
  submitRequirement: {
    caller: 'account',
    prepare: async (world) => {
      const found = await newRequirement(world, Requirement_State.REQUIRED)
      const { requirementId, fields } = found.requirement
      const answers = fields.map(({ name }) => ({ name, value: 'yes' }))
      const { sellerId } = found
      const request = { ...named(), sellerId, requirementId, answers, expectedVersion: undefined }
      return { request, bearer: found.applicant.bearer }
    },
    change: (request) => ({ ...request, expectedVersion: 1n }),
  },
  reviewRequirement: {
    caller: 'operator',
    prepare: async (world) => {
      const { sellerId, requirement } = await newRequirement(world, Requirement_State.SUBMITTED)
      const { requirementId, version } = requirement
      const decision = { decision: Decision.VERIFY, reason: '', waiveUntilTime: undefined }
      const about = { sellerId, requirementId, expectedVersion: version }
      return { request: { ...named(), ...about, ...decision } }
    },
    change: (request) => ({ ...request, decision: Decision.REJECT, reason: 'Not readable.' }),
  },
  approveSeller: {
    caller: 'operator',
    prepare: async (world) => ({
      request: {
        ...named(),
        ...(await inStage(world, 'IN_REVIEW')),
        commissionBasisPoints: undefined,
      },
    }),
    change: (request) => ({ ...request, commissionBasisPoints: 500 }),
  },
  rejectSeller: {
    caller: 'operator',
    prepare: async (world) => ({
      request: { ...named(), ...(await inStage(world, 'IN_REVIEW')), reason: 'A sample.' },
    }),
    change: otherReason,
  },
  suspendSeller: {
    caller: 'operator',
    prepare: async (world) => ({
      request: { ...named(), ...(await inStage(world, 'ACTIVE')), reason: 'A sample.' },
    }),
    change: otherReason,
  },
  reinstateSeller: {
    caller: 'operator',
    prepare: async (world) => ({
      request: { ...named(), ...(await inStage(world, 'SUSPENDED')), reason: 'A sample.' },
    }),
    change: otherReason,
  },
  createOffer: {
    caller: 'owner',
    prepare: async (world) => ({ request: await offerOf(world) }),
    change: (request) => ({ ...request, title: 'Another title' }),
  },
  updateOffer: {
    caller: 'owner',
    prepare: async (world) => {
      const { offerId, version } = await newOffer(world)
      const request = {
        ...named(),
        sellerId: world.sellerOf('owner'),
        offerId,
        expectedVersion: version,
        title: 'A new title',
        price: euro(2_099n),
        taxCategory: TaxCategory.UNSPECIFIED,
        shippingProfileId: undefined,
        productRef: undefined,
      }
      return { request }
    },
    change: (request) => ({ ...request, title: 'Another title' }),
  },
  getOffers: {
    caller: 'guest',
    prepare: async (world) => ({ request: { offerIds: [(await newOffer(world)).offerId] } }),
    // Unknown ids are listed as missing, and offers are for everybody to see.
    openIds: ['offerIds'],
    belongsToNobody: true,
  },
  listOffers: {
    caller: 'owner',
    prepare: async (world) => ({
      request: {
        sellerId: world.sellerOf('owner'),
        state: Offer_State.UNSPECIFIED,
        pageSize: 5,
        pageToken: '',
      },
    }),
    publicIds: ['sellerId'],
    belongsToNobody: true,
  },
  setShippingProfile: {
    caller: 'owner',
    prepare: async (world) => ({ request: profileOf(world.sellerOf('owner')) }),
    change: (request) => ({ ...request, name: 'Letters' }),
  },
  getStockView: {
    caller: 'owner',
    prepare: async (world) => ({
      request: { sellerId: world.sellerOf('owner'), itemIds: [], pageSize: 5, pageToken: '' },
    }),
  },
}
