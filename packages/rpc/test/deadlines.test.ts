import { Unavailable } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import type { CallContext, CallScope } from '../src/index.ts'
import { type ServerUnderTest, clientOf, failureOf, scope, startServer } from './rpc-kit.ts'

const leftMs = (of: CallScope): number => of.deadlineAtMs - systemClock.monotonicMs()

async function startHop(): Promise<{
  readonly server: ServerUnderTest
  readonly client: ReturnType<typeof clientOf>
}> {
  const server = await startServer()
  const client = clientOf([server.address])
  onTestFinished(async () => {
    await client[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  return { server, client }
}

test('I21: each hop has at most what is left, less what the way back needs', async () => {
  const hops = await Promise.all([startHop(), startHop(), startHop()])
  const sent: number[] = []
  const granted: number[] = []
  hops.forEach(({ server }, index) => {
    server.unary = async (_request: unknown, call: CallContext) => {
      granted.push(leftMs(call))
      const next = hops[index + 1]
      if (next === undefined) return { hold: undefined }
      sent.push(leftMs(call))
      return next.client.getHold({ holdId: '' }, call)
    }
  })
  const whole = scope(5_000)
  sent.push(leftMs(whole))
  await hops[0]?.client.getHold({ holdId: '' }, whole)
  expect(granted).toHaveLength(3)
  granted.forEach((ms, hop) => expect(ms).toBeLessThanOrEqual((sent[hop] ?? 0) - 20))
})

test('I21: no call goes out without an end, even from work that has none', async () => {
  const { server } = await startHop()
  await using inventory = clientOf([server.address], { timeoutMs: 700 })
  let ms = Number.POSITIVE_INFINITY
  server.unary = async (_request: unknown, call: CallContext) => {
    ms = leftMs(call)
    return { hold: undefined }
  }
  const endless = { deadlineAtMs: Number.POSITIVE_INFINITY, signal: new AbortController().signal }
  await inventory.getHold({ holdId: '' }, endless)
  expect(ms).toBeLessThanOrEqual(700)
})

test('I21: a handler whose time is over does nothing more through others', async () => {
  const [first, second] = await Promise.all([startHop(), startHop()])
  const phases: unknown[] = []
  first.server.unary = async (_request: unknown, call: CallContext) => {
    phases.push('first')
    await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
    phases.push(await failureOf(second.client.placeHold({ ...PLACE }, call)))
    throw new Error('nobody hears this')
  }
  await failureOf(first.client.getHold({ holdId: '' }, scope(400)))
  await eventually(() => phases.length === 2, { withinMs: 5_000 })
  expect(phases[1]).toBeInstanceOf(Unavailable)
  expect(phases[1]).toMatchObject({ reason: 'DEADLINE_TOO_SHORT' })
  expect(second.server.served).toBe(0)
})

const PLACE = { requestId: 'r-1', holdId: '', orderId: '', lines: [] }
