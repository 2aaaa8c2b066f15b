import { ReviewRequirementRequest_Decision as Decision } from '@holdfast/proto/seller'
import { z } from 'zod'
import { answers, requirementJson, sellerJson } from './http-json.ts'
import { type Route, enumInput, route, sellerPath } from './http-route.ts'
import { accountRoutes } from './http-routes-account.ts'
import { tradeRoutes } from './http-routes-trade.ts'

const requirementPath = sellerPath.extend({ requirement_id: z.string().describe('rqm_…') })
const reasonBody = z.strictObject({ reason: z.string().describe('Shown to the seller') })

/** Joining: apply, read, hand in. */
const joinRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/sellers',
    operation: 'applySeller',
    summary: 'Applies as a seller; the account becomes its owner within seconds',
    tag: 'joining',
    body: z.strictObject({
      display_name: z.string().describe('Shown to buyers, 1 to 100 characters'),
      legal_name: z.string().describe('Name in law, 1 to 200 characters'),
      country_code: z.string().describe('ISO 3166-1 alpha-2'),
      currency_code: z.string().describe('ISO 4217; cannot change later'),
    }),
    status: 201,
    answer: answers.joined,
    serve: async ({ body }, call) => {
      const { seller, requirements } = await call.rpc('applySeller', {
        requestId: call.requestId,
        displayName: body.display_name,
        legalName: body.legal_name,
        countryCode: body.country_code,
        currencyCode: body.currency_code,
      })
      return {
        body: { seller: sellerJson(seller), requirements: requirements.map(requirementJson) },
        version: seller?.version,
        location: `/v1/sellers/${seller?.sellerId ?? ''}`,
      }
    },
  }),
  route({
    method: 'GET',
    path: '/v1/sellers/{seller_id}',
    operation: 'getSeller',
    summary: 'Reads a seller with what is required of it',
    tag: 'joining',
    params: sellerPath,
    answer: answers.joined,
    serve: async ({ params }, call) => {
      const { seller, requirements } = await call.rpc('getSeller', { sellerId: params.seller_id })
      return {
        body: { seller: sellerJson(seller), requirements: requirements.map(requirementJson) },
        version: seller?.version,
      }
    },
  }),
  route({
    method: 'PUT',
    path: '/v1/sellers/{seller_id}/requirements/{requirement_id}/submission',
    operation: 'submitRequirement',
    summary: 'Answers a requirement; the answers are stored sealed and never shown again',
    tag: 'joining',
    params: requirementPath,
    body: z.strictObject({
      answers: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    }),
    version: 'optional',
    answer: answers.requirement,
    serve: async ({ params, body }, call) => {
      const { requirement, seller } = await call.rpc('submitRequirement', {
        requestId: call.requestId,
        sellerId: params.seller_id,
        requirementId: params.requirement_id,
        answers: body.answers,
        expectedVersion: call.expectedVersion,
      })
      return {
        body: { requirement: requirementJson(requirement), seller: sellerJson(seller) },
        version: requirement?.version,
      }
    },
  }),
]

/** What operators decide. */
const operatorRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/sellers/{seller_id}/requirements/{requirement_id}/review',
    operation: 'reviewRequirement',
    summary: 'Accepts, refuses or waives a requirement',
    tag: 'operators',
    params: requirementPath,
    body: z.strictObject({
      decision: enumInput(Decision),
      reason: z.string().default(''),
      waive_until_time: z.iso.datetime({ offset: true }).optional(),
    }),
    version: 'required',
    answer: answers.requirement,
    serve: async ({ params, body }, call) => {
      const until = body.waive_until_time
      const { requirement, seller } = await call.rpc('reviewRequirement', {
        requestId: call.requestId,
        sellerId: params.seller_id,
        requirementId: params.requirement_id,
        decision: body.decision,
        reason: body.reason,
        waiveUntilTime: until === undefined ? undefined : new Date(until),
        expectedVersion: call.expectedVersion ?? 0n,
      })
      return {
        body: { requirement: requirementJson(requirement), seller: sellerJson(seller) },
        version: requirement?.version,
      }
    },
  }),
  route({
    method: 'POST',
    path: '/v1/sellers/{seller_id}/approve',
    operation: 'approveSeller',
    summary: 'Lets a seller in once every requirement is verified or waived',
    tag: 'operators',
    params: sellerPath,
    body: z.strictObject({ commission_basis_points: z.int().optional() }),
    version: 'required',
    answer: answers.seller,
    serve: async ({ params, body }, call) => {
      const { seller } = await call.rpc('approveSeller', {
        requestId: call.requestId,
        sellerId: params.seller_id,
        expectedVersion: call.expectedVersion ?? 0n,
        commissionBasisPoints: body.commission_basis_points,
      })
      return { body: { seller: sellerJson(seller) }, version: seller?.version }
    },
  }),
  decisionRoute('rejectSeller', 'reject', 'Turns a seller away', 'required'),
  decisionRoute('suspendSeller', 'suspend', 'Stops new sales; open orders finish', 'optional'),
  decisionRoute('reinstateSeller', 'reinstate', 'Lets a suspended seller sell again', 'optional'),
]

function decisionRoute(
  operation: 'rejectSeller' | 'suspendSeller' | 'reinstateSeller',
  verb: string,
  summary: string,
  version: 'required' | 'optional',
): Route {
  return route({
    method: 'POST',
    path: `/v1/sellers/{seller_id}/${verb}`,
    operation,
    summary,
    tag: 'operators',
    params: sellerPath,
    body: reasonBody,
    version,
    answer: answers.seller,
    serve: async ({ params, body }, call) => {
      const request = {
        requestId: call.requestId,
        sellerId: params.seller_id,
        reason: body.reason,
        expectedVersion: call.expectedVersion,
      }
      const { seller } =
        operation === 'rejectSeller'
          ? await call.rpc(operation, { ...request, expectedVersion: call.expectedVersion ?? 0n })
          : await call.rpc(operation, request)
      return { body: { seller: sellerJson(seller) }, version: seller?.version }
    },
  })
}

/** Every route of the HTTP door. */
export const ROUTES: readonly Route[] = [
  ...accountRoutes,
  ...joinRoutes,
  ...tradeRoutes,
  ...operatorRoutes,
]
