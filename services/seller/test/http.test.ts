import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { type SellerId, present } from '@holdfast/kernel'
import type { Caller } from '@holdfast/rpc'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type SellerUnderTest,
  accountCaller,
  admitSeller,
  application,
  apply,
  memberOf,
  operatorCaller,
  scope,
  startSeller,
  stockItem,
} from './seller-under-test.ts'

let service: SellerUnderTest

beforeAll(async () => {
  service = await startSeller()
})

afterAll(async () => service[Symbol.asyncDispose]())

/** What the routes answer, as far as these tests look at it. */
interface Body {
  readonly [name: string]: unknown
  readonly seller: {
    readonly seller_id: SellerId
    readonly state: string
    readonly version: string
  }
  readonly requirements: readonly {
    readonly requirement_id: string
    readonly version: string
    readonly fields: readonly { readonly name: string }[]
  }[]
  readonly tokens: { readonly access_token: string }
  readonly shipping_profile: { readonly shipping_profile_id: string }
  readonly detail: string
  readonly paths: object
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Body
}

interface Call {
  readonly method?: string
  readonly path: string
  readonly token?: string | undefined
  readonly body?: unknown
  readonly key?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly copy?: number
}

async function http(call: Call): Promise<Answer> {
  const copy = present(service.copies[call.copy ?? 0], 'the copy')
  const method = call.method ?? (call.body === undefined ? 'GET' : 'POST')
  const response = await fetch(`http://${copy.httpAddress}${call.path}`, {
    method,
    headers: {
      ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
      ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(method === 'GET' ? {} : { 'idempotency-key': call.key ?? randomUUID() }),
      ...call.headers,
    },
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  })
  const body = (await response.json()) as Body
  return { status: response.status, headers: response.headers, body }
}

const tokenOf = (caller: Caller): string => service.callers.tokenFor(caller)

const applicationBody = () => {
  const { displayName, legalName, countryCode, currencyCode } = application()
  return {
    display_name: displayName,
    legal_name: legalName,
    country_code: countryCode,
    currency_code: currencyCode,
  }
}

const profileBody = {
  name: 'Parcels',
  options: [
    {
      option_key: 'standard',
      label: 'Standard',
      country_codes: ['DE'],
      flat: { currency_code: 'EUR', minor: '490' },
    },
  ],
}

/** Registers an account by HTTP and answers how to log in as it. */
async function register() {
  const email = `${randomUUID()}@example.test`
  const password = 'correct horse battery staple'
  const registered = await http({ path: '/v1/accounts', body: { email, password } })
  expect(registered.status).toBe(201)
  return (actAs?: object) =>
    http({ path: '/v1/tokens', body: { email, password, ...(actAs && { act_as: actAs }) } })
}

/** Applies and hands everything in by HTTP; answers the seller's path. */
async function applyByHttp(token: string): Promise<string> {
  const applied = await http({ path: '/v1/sellers', token, body: applicationBody() })
  expect(applied.status).toBe(201)
  const path = present(applied.headers.get('location'), 'the location')
  for (const one of applied.body.requirements) {
    const submitted = await http({
      method: 'PUT',
      path: `${path}/requirements/${one.requirement_id}/submission`,
      token,
      body: { answers: one.fields.map(({ name }) => ({ name, value: 'as stated' })) },
    })
    expect(submitted.body).toMatchObject({ requirement: { state: 'SUBMITTED' } })
  }
  return path
}

/** Verifies every requirement and approves by HTTP, as an operator. */
async function admitByHttp(path: string): Promise<SellerId> {
  const token = tokenOf(operatorCaller())
  const inReview = await http({ path, token })
  expect(inReview.body.seller.state).toBe('IN_REVIEW')
  for (const one of inReview.body.requirements) {
    await http({
      path: `${path}/requirements/${one.requirement_id}/review`,
      token,
      headers: { 'if-match': `"${one.version}"` },
      body: { decision: 'VERIFY' },
    })
  }
  const etag = present((await http({ path, token })).headers.get('etag'), 'the ETag')
  const headers = { 'if-match': etag }
  const approved = await http({ path: `${path}/approve`, token, headers, body: {} })
  expect(approved.body.seller).toMatchObject({ state: 'ACTIVE', selling: { enabled: true } })
  return approved.body.seller.seller_id
}

test('joining needs HTTP alone, from the account to the first offer', async () => {
  await using _jobs = await service.startJobs()
  const logIn = await register()
  const path = await applyByHttp((await logIn()).body.tokens.access_token)
  const sellerId = await admitByHttp(path)
  const asSeller = await eventually(
    async () => {
      const answer = await logIn({ audience: 'SELLER', seller_id: sellerId })
      return answer.status === 200 && answer
    },
    { withinMs: 20_000 },
  )
  const token = asSeller.body.tokens.access_token
  const profile = await http({ path: `${path}/shipping-profiles`, token, body: profileBody })
  expect(profile.body.shipping_profile).toMatchObject({
    options: [{ flat: { currency_code: 'EUR', minor: '490' }, days_max: 0 }],
  })
  const offer = await http({
    path: `${path}/offers`,
    token,
    body: {
      sku: 'MUG-1',
      item_id: stockItem(service, sellerId),
      title: 'A mug',
      price: { currency_code: 'EUR', minor: 1999 },
      tax_category: 'STANDARD',
      shipping_profile_id: profile.body.shipping_profile.shipping_profile_id,
    },
  })
  expect(offer.status).toBe(201)
  expect(offer.body).toMatchObject({ offer: { price: { minor: '1999' }, state: 'ACTIVE' } })
  const listed = await http({ path: `${path}/offers?state=ACTIVE`, token })
  expect(listed.body).toMatchObject({ offers: [offer.body['offer']], next_page_token: '' })
})

test('I6: one key means one request at both doors and at every copy', async () => {
  const caller = accountCaller()
  const token = tokenOf(caller)
  const { requestId: key, ...said } = application()
  const body = {
    display_name: said.displayName,
    legal_name: said.legalName,
    country_code: said.countryCode,
    currency_code: said.currencyCode,
  }
  const first = await http({ path: '/v1/sellers', token, key, body })
  const [again, elsewhere] = await Promise.all(
    [0, 1].map((copy) => http({ path: '/v1/sellers', token, key, body, copy })),
  )
  expect(again?.body).toEqual(first.body)
  expect(elsewhere?.body).toEqual(first.body)
  const byGrpc = await service.clientOf(caller).applySeller({ requestId: key, ...said }, scope())
  expect(byGrpc.seller).toMatchObject({
    sellerId: first.body.seller.seller_id,
    version: BigInt(first.body.seller.version),
    legalName: said.legalName,
  })
  const other = await http({
    path: '/v1/sellers',
    token,
    key,
    body: { ...body, display_name: 'X' },
  })
  expect(other.status).toBe(422)
  expect(other.body).toMatchObject({ reason: 'KEY_REUSED', status: 422 })
})

test('both doors refuse alike: reason, details and violations', async () => {
  const { sellerId } = await apply(service)
  const missing = newId('seller')
  const stranger = accountCaller()
  const answers = await Promise.all(
    [sellerId, missing].map((id) => http({ path: `/v1/sellers/${id}`, token: tokenOf(stranger) })),
  )
  expect(answers.map((one) => one.status)).toEqual([404, 404])
  expect(answers[0]?.body).toEqual(answers[1]?.body)
  expect(answers[0]?.body).toMatchObject({ reason: 'SELLER_NOT_FOUND' })
  const bad = await http({
    path: '/v1/sellers',
    token: tokenOf(stranger),
    body: { ...applicationBody(), country_code: 'Germany' },
  })
  expect(bad.status).toBe(400)
  expect(bad.headers.get('content-type')).toContain('application/problem+json')
  expect(bad.body).toMatchObject({
    type: 'urn:holdfast:problem:invalid-field',
    violations: [{ field: 'country_code' }],
  })
})

test('a write without a key is refused', async () => {
  const copy = present(service.copies[0], 'the copy')
  const url = `http://${copy.httpAddress}/v1/sellers`
  const authorization = `Bearer ${tokenOf(accountCaller())}`
  const body = JSON.stringify(applicationBody())
  const headers = { authorization, 'content-type': 'application/json' }
  const without = await fetch(url, { method: 'POST', headers, body })
  expect(without.status).toBe(400)
  expect(await without.json()).toMatchObject({ violations: [{ field: 'Idempotency-Key' }] })
})

/** Sends a GET with header lines of one name twice, which fetch would join. */
async function getWithTwo(path: string, name: string, values: [string, string]): Promise<number> {
  const copy = present(service.copies[0], 'the copy')
  const [host, port] = copy.httpAddress.split(':')
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, headers: { [name]: values } }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('a header that decides is refused when it is sent twice', async () => {
  const { sellerId } = await apply(service)
  const own = `Bearer ${tokenOf(memberOf(sellerId))}`
  const path = `/v1/sellers/${sellerId}`
  expect(await getWithTwo(path, 'accept', ['text/plain', 'application/json'])).toBe(401)
  expect(await getWithTwo(path, 'authorization', [own, 'Bearer other'])).toBe(400)
  expect(await getWithTwo(path, 'if-match', ['"1"', '"2"'])).toBe(400)
})

test('If-Match is the version: 428 without, 412 when it changed, 400 when it is none', async () => {
  const { sellerId } = await admitSeller(service)
  const token = tokenOf(memberOf(sellerId))
  const base = `/v1/sellers/${sellerId}/shipping-profiles`
  const made = await http({ path: base, token, body: profileBody })
  expect(made.headers.get('etag')).toBe('"1"')
  const path = present(made.headers.get('location'), 'the location')
  const put = (headers: Record<string, string>) =>
    http({ method: 'PUT', path, token, body: profileBody, headers })
  expect((await put({})).status).toBe(428)
  expect((await put({ 'if-match': 'W/"1"' })).status).toBe(400)
  const replaced = await put({ 'if-match': '"1"' })
  expect(replaced.headers.get('etag')).toBe('"2"')
  const late = await put({ 'if-match': '"1"' })
  expect(late.status).toBe(412)
  expect(late.body).toMatchObject({ reason: 'VERSION_MISMATCH', details: { version: '2' } })
})

test('who may not is told what to do: 401 without a token, 403 with the wrong one', async () => {
  const anonymous = await http({ path: '/v1/sellers', body: applicationBody() })
  expect(anonymous.status).toBe(401)
  expect(anonymous.headers.get('www-authenticate')).toBe('Bearer')
  const unknown = await http({ path: '/v1/sellers', token: 'made-up', body: applicationBody() })
  expect(unknown.body).toMatchObject({ status: 401, reason: 'TOKEN_INVALID' })
  const { sellerId } = await apply(service)
  const buyer = tokenOf(accountCaller())
  const verb = { path: `/v1/sellers/${sellerId}/suspend`, body: { reason: 'because' } }
  expect((await http({ ...verb, token: buyer })).status).toBe(403)
})

test('bodies that are too large, no JSON, or hold what is not known are refused', async () => {
  const token = tokenOf(accountCaller())
  const large = { ...applicationBody(), display_name: 'x'.repeat(100_000) }
  expect(await http({ path: '/v1/sellers', token, body: large })).toMatchObject({
    status: 413,
    body: { reason: 'MESSAGE_TOO_LARGE' },
  })
  const unknown = { ...applicationBody(), state: 'ACTIVE' }
  expect((await http({ path: '/v1/sellers', token, body: unknown })).status).toBe(400)
  const copy = present(service.copies[0], 'the copy')
  const send = (contentType: string, body: string) =>
    fetch(`http://${copy.httpAddress}/v1/sellers`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        'idempotency-key': randomUUID(),
        'content-type': contentType,
      },
      body,
    })
  const broken = await send('application/json', '{"display_name": ')
  expect(broken.status).toBe(400)
  expect(await broken.json()).toMatchObject({ reason: 'MALFORMED_MESSAGE' })
  expect((await send('application/json', '{"__proto__": {"a": 1}}')).status).toBe(400)
  expect((await send('text/plain', 'hello')).status).toBe(415)
  expect((await send('application/json', '['.repeat(30_000))).status).toBe(400)
})

test('the API describes itself, and what is not there says where to look', async () => {
  const described = await http({ path: '/v1/openapi.json' })
  expect(described.status).toBe(200)
  expect(Object.keys(described.body.paths)).toContain('/v1/sellers/{seller_id}/offers')
  const lost = await http({ path: '/v1/nothing' })
  expect(lost.status).toBe(404)
  expect(lost.body.detail).toContain('/v1/openapi.json')
})
