import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { isId, present, type SellerId } from '@holdfast/kernel'
import { ErrorReason } from '@holdfast/proto/type'
import type { Caller } from '@holdfast/rpc'
import { newId } from '@holdfast/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { access } from '../src/access.ts'
import type { Route } from '../src/http-route.ts'
import { ROUTES } from '../src/http-routes.ts'
import {
  accountCaller,
  apply,
  memberOf,
  operatorCaller,
  type SellerUnderTest,
  startSeller,
} from './seller-under-test.ts'

let service: SellerUnderTest
let sellerId: SellerId

beforeAll(async () => {
  service = await startSeller()
  sellerId = (await apply(service)).sellerId
})

afterAll(async () => service[Symbol.asyncDispose]())

interface Call {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** Sends what it is given and nothing else; fetch would add a type and mend the path. */
async function send({ method, path, headers = {}, body }: Call): Promise<Answer> {
  const [host, port] = present(service.copies[0], 'the copy').httpAddress.split(':')
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
    const options = { host, port, method, path, headers: { ...headers, ...length } }
    const sent = request(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        resolve({
          status: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          text,
        })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Text of the inside, which no answer may hold. */
const INSIDE = /\n\s+at |node:|\.ts:\d|ECONN|FST_|Fastify|SELECT |INSERT |Zod|undefined is not/i

/** What is wrong with a refusal, if anything: it is a problem with a reason of the closed set. */
function wrongIn(answer: Answer, wanted: number, reasons: readonly string[]): string | undefined {
  const said = `${answer.status} ${answer.type} ${answer.text}`
  if (answer.status !== wanted || INSIDE.test(answer.text)) return `wanted ${wanted}, got ${said}`
  if (!answer.type.startsWith('application/problem+json')) return `no problem: ${said}`
  const problem = JSON.parse(answer.text) as { readonly status: number; readonly reason: string }
  const isKnown = Object.hasOwn(ErrorReason, problem.reason)
  const isWanted = isKnown && reasons.includes(problem.reason)
  return problem.status === wanted && isWanted ? undefined : `wanted ${reasons.join()}, got ${said}`
}

interface Row extends Call {
  readonly name: string
  readonly wanted: number
  readonly reasons: readonly string[]
}

/** Somebody whom the route lets in, so that what is refused is the form alone. */
function callerFor(one: Route): Caller | undefined {
  if (one.isPublic) return undefined
  const isProfile = one.operation.endsWith('ShippingProfile')
  const name = isProfile ? 'setShippingProfile' : one.operation
  const allow: readonly string[] = access[name as keyof typeof access].allow
  if (allow.includes('operator')) return operatorCaller()
  return allow.includes('account') ? accountCaller() : memberOf(sellerId)
}

function pathOf(one: Route): string {
  const ids: Readonly<Record<string, string>> = {
    seller_id: sellerId,
    offer_id: newId('offer'),
    requirement_id: newId('requirement'),
    shipping_profile_id: newId('shippingProfile'),
  }
  return one.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => present(ids[name], name))
}

function headersFor(one: Route): Record<string, string> {
  const caller = callerFor(one)
  return {
    ...(caller === undefined
      ? {}
      : { authorization: `Bearer ${service.callers.tokenFor(caller)}` }),
    ...(one.method === 'GET' ? {} : { 'idempotency-key': randomUUID() }),
    ...(one.version === 'none' ? {} : { 'if-match': '"1"' }),
    ...(one.hasBody ? { 'content-type': 'application/json' } : {}),
  }
}

const MALFORMED = ['MALFORMED_MESSAGE']
const INVALID = ['INVALID_FIELD']
const NO_ROUTE = ['UNIMPLEMENTED_METHOD']
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']
const UNKNOWN = '{"nobody_knows_this":1}'

function rowsOf(one: Route): Row[] {
  const headers = headersFor(one)
  const path = pathOf(one)
  const good: Call = { method: one.method, path, headers }
  const body = one.hasBody ? { body: '{}' } : {}
  const known = ROUTES.filter((other) => other.path === one.path).map((other) => other.method)
  const methods = METHODS.filter((method) => !known.some((other) => other === method))
  const row = (name: string, wanted: number, reasons: readonly string[], call: object): Row => ({
    ...good,
    ...call,
    name,
    wanted,
    reasons,
  })
  const without = (name: string) =>
    Object.fromEntries(Object.entries(headers).filter(([own]) => own !== name))
  return [
    ...methods.map((method) =>
      row(`method ${method}`, 404, NO_ROUTE, { method, headers: without('content-type') }),
    ),
    row('more of a path', 404, NO_ROUTE, { path: `${path}/nothing`, ...body }),
    row('a path with a slash behind', 404, NO_ROUTE, { path: `${path}/`, ...body }),
    row('an unknown query', 400, INVALID, { path: `${path}?nobody_knows_this=1`, ...body }),
    ...(one.isPublic
      ? []
      : [
          row('no token', 401, ['TOKEN_MISSING'], { headers: without('authorization'), ...body }),
          row('a token that is none', 401, ['TOKEN_INVALID'], {
            headers: { ...headers, authorization: 'Bearer nobody.made.this' },
            ...body,
          }),
        ]),
    ...(one.method === 'GET'
      ? []
      : [row('no key', 400, INVALID, { headers: without('idempotency-key'), ...body })]),
    ...(one.hasBody ? bodyRows({ row, headers, without }) : []),
  ]
}

function bodyRows(about: {
  readonly row: (name: string, wanted: number, reasons: readonly string[], call: object) => Row
  readonly headers: Readonly<Record<string, string>>
  readonly without: (name: string) => object
}): Row[] {
  const { row, headers, without } = about
  const typed = (type: string) => ({ headers: { ...headers, 'content-type': type }, body: '{}' })
  return [
    row('no type', 415, MALFORMED, { headers: without('content-type'), body: '{}' }),
    ...['text/plain', 'application/xml', 'application/x-www-form-urlencoded'].map((type) =>
      row(`type ${type}`, 415, MALFORMED, typed(type)),
    ),
    row('too large', 413, ['MESSAGE_TOO_LARGE'], { body: `"${'x'.repeat(70_000)}"` }),
    ...['', '{', '{"a":1}}', '\0', '{"__proto__":{"a":1}}'].map((body) =>
      row(`body ${JSON.stringify(body)}`, 400, MALFORMED, { body }),
    ),
    ...['null', '[]', '"text"', '1', UNKNOWN].map((body) =>
      row(`body ${body}`, 400, INVALID, { body }),
    ),
  ]
}

/** A count and a hash of every table. */
async function contents(): Promise<unknown> {
  const tables = await service.database.query<{ readonly name: string }>(
    "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
  )
  const counted = tables.map(
    ({ name }) =>
      `SELECT '${name}' AS name, md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), ''))
       FROM "${name}" t`,
  )
  return service.database.query(counted.join(' UNION ALL '))
}

test.each(ROUTES.map((one) => [`${one.method} ${one.path}`, one] as const))(
  'I8, I23: %s refuses what is wrong in form by a problem with a reason, without an effect',
  async (_name, one) => {
    const before = await contents()
    const problems: string[] = []
    for (const row of rowsOf(one)) {
      const wrong = wrongIn(await send(row), row.wanted, row.reasons)
      if (wrong !== undefined) problems.push(`${row.name}: ${wrong}`)
    }
    expect(problems).toEqual([])
    expect(await contents()).toEqual(before)
  },
)

test('a path that is none is a problem too, whatever is wrong with it', async () => {
  const paths: readonly (readonly [string, number, readonly string[]])[] = [
    ['/', 404, NO_ROUTE],
    ['/v1/%ff', 400, MALFORMED],
    ['/v1/sellers/%ff', 400, MALFORMED],
    ['/v1/sellers/../tokens', 404, NO_ROUTE],
    ['/v1//sellers', 404, NO_ROUTE],
    [`/v1/sellers/${'x'.repeat(300)}`, 400, MALFORMED],
  ]
  const problems: string[] = []
  for (const [path, wanted, reasons] of paths) {
    const wrong = wrongIn(await send({ method: 'GET', path }), wanted, reasons)
    if (wrong !== undefined) problems.push(`${path}: ${wrong}`)
  }
  expect(problems).toEqual([])
})

test('an answer of another form, with another reason or with the inside is noticed', () => {
  const problem = { status: 400, reason: 'INVALID_FIELD' }
  const good = { status: 400, type: 'application/problem+json', text: JSON.stringify(problem) }
  expect(isId('seller', sellerId)).toBe(true)
  expect(wrongIn(good, 400, INVALID)).toBeUndefined()
  expect(wrongIn({ ...good, status: 500 }, 400, INVALID)).toContain('wanted 400')
  expect(wrongIn({ ...good, type: 'application/json' }, 400, INVALID)).toContain('no problem')
  expect(wrongIn(good, 400, MALFORMED)).toContain('MALFORMED_MESSAGE')
  const inside = { ...good, text: JSON.stringify({ ...problem, detail: 'at x.ts:3' }) }
  expect(wrongIn(inside, 400, INVALID)).toContain('wanted 400')
  const made = { ...good, text: JSON.stringify({ ...problem, reason: 'WHATEVER' }) }
  expect(wrongIn(made, 400, ['WHATEVER'])).toContain('WHATEVER')
})
