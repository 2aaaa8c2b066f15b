import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '@holdfast/runtime'
import { expect, onTestFinished, test } from 'vitest'
import { applyOverHttp, type OnboardingDoor } from './demo-onboarding.ts'
import type { ShopPlan } from './demo-shop.ts'

const PLAN: ShopPlan = {
  displayName: 'Demo shop',
  countryCode: 'DE',
  currency: 'EUR',
  article: { sku: 'A-1', title: 'Article', priceMinor: 1_000n, units: 5 },
  shippingMinor: 490n,
}

/** How a try fails: no answer at all, half of one, or a refusal. */
type Failure = 'no answer' | 'half an answer' | { readonly status: number; readonly reason: string }

interface Heard {
  readonly path: string
  readonly key: string
  readonly body: string
}

/** An onboarding API whose `failuresOf` says how the n-th try (from 0) of a path fails. */
async function openApi(failuresOf: (path: string, tries: number) => Failure | undefined) {
  const heard: Heard[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = `${request.url}`
    const body = Buffer.concat(await request.toArray()).toString()
    const failure = failuresOf(path, heard.filter((one) => one.path === path).length)
    heard.push({ path, key: String(request.headers['idempotency-key']), body })
    if (failure === 'no answer') return void request.socket.destroy()
    if (failure === 'half an answer') {
      response.writeHead(200, { 'content-length': 100 }).write('{"tok')
      return void setImmediate(() => request.socket.destroy())
    }
    response.statusCode = failure?.status ?? 200
    response.end(
      JSON.stringify(failure === undefined ? answerTo(path) : { ...failure, detail: '' }),
    )
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard }
}

function answerTo(path: string): object {
  if (path === '/tokens') return { tokens: { access_token: 'token' } }
  const requirements = [{ requirement_id: 'r1', fields: [{ name: 'iban', length_max: 8 }] }]
  return path === '/sellers' ? { seller: { seller_id: 's1' }, requirements } : {}
}

/** A door whose pauses take no time and are counted. */
function doorTo(
  url: string,
  signal?: AbortSignal,
): OnboardingDoor & { readonly paused: () => number } {
  let nowMs = 0
  const clock = {
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: async (durationMs: number) => {
      nowMs += durationMs
    },
  }
  return { url, clock, signal, paused: () => nowMs }
}

const PATHS = ['/accounts', '/tokens', '/sellers', '/sellers/s1/requirements/r1/submission']

test.each<Failure>([
  'no answer',
  'half an answer',
  { status: 429, reason: 'OVERLOADED' },
  { status: 503, reason: 'DEPENDENCY_UNAVAILABLE' },
  { status: 504, reason: 'OUTCOME_UNKNOWN' },
  { status: 409, reason: 'KEY_IN_PROGRESS' },
])('%j is followed by the same request under the same key', async (failure) => {
  const { url, heard } = await openApi((_path, tries) => (tries < 3 ? failure : undefined))
  expect(await applyOverHttp(doorTo(url), PLAN)).toMatchObject({ sellerId: 's1', answered: 1 })
  expect(heard.map(({ path }) => path)).toEqual(PATHS.flatMap((path) => [path, path, path, path]))
  expect(new Set(heard.map((one) => JSON.stringify(one))).size).toBe(PATHS.length)
  expect(new Set(heard.map(({ key }) => key)).size).toBe(PATHS.length)
})

test.each([
  { status: 409, reason: 'SELLER_NAME_TAKEN' },
  { status: 422, reason: 'KEY_REUSED' },
  { status: 500, reason: 'INTERNAL_ERROR' },
])('%j is told and not repeated', async (failure) => {
  const { url, heard } = await openApi(() => failure)
  await expect(applyOverHttp(doorTo(url), PLAN)).rejects.toThrow(
    `POST /accounts was refused with ${failure.status}`,
  )
  expect(heard).toHaveLength(1)
})

test('an outage is waited for a minute and no longer', async () => {
  const { url } = await openApi(() => ({ status: 503, reason: 'DEPENDENCY_UNAVAILABLE' }))
  const door = doorTo(url)
  await expect(applyOverHttp(door, PLAN)).rejects.toThrow('POST /accounts was refused with 503')
  expect(door.paused()).toBe(60_000)
})

test.each<Failure>(['no answer', { status: 503, reason: 'DEPENDENCY_UNAVAILABLE' }])(
  'whoever stops it after %j has it stopped',
  async (failure) => {
    const stop = new AbortController()
    const { url, heard } = await openApi((_path, tries) => {
      if (tries === 2) stop.abort(new Error('stopped here'))
      return failure
    })
    await expect(applyOverHttp(doorTo(url, stop.signal), PLAN)).rejects.toThrow('stopped here')
    expect(heard).toHaveLength(3)
  },
)
