import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { newPrivateJwk } from '@holdfast/testkit'
import type { RunContext } from './benchmarks.ts'
import type { RpcAnswer, RpcAsk } from './main-rpc.ts'
import { type Aim, type Result, resultOf, type Round } from './result.ts'
import { OUR_WAYS, type OurWay } from './rpc-sides.ts'

const ROUNDS = 5
const CALLS_PER_ROUND = 4_000
const IN_FLIGHT = 8

/** After so many calls of each kind their code is compiled. */
const WARM_UP_CALLS = 6_000

/** Services trace one call in a hundred. */
const TRACED_SHARE = 0.01

const STACK_MAX: Aim = { kind: 'at most', bound: 1.5 }
const REFUSE_MAX: Aim = { kind: 'at most', bound: 0.6 }

/** CPU time of one call, microseconds. */
interface CallCost {
  readonly clientUs: number
  readonly serverUs: number
}

/** What our gRPC costs over grpc-js alone, and what a refusal costs by a served call: CPU time. */
export async function measureRpc({ report, ends }: RunContext): Promise<readonly Result[]> {
  const bare = await openPair(ends, 'bare', {})
  const ours = await openPair(ends, 'ours', await tracingTo(ends))
  report(`Warming up with ${WARM_UP_CALLS} calls of each kind`)
  await bare('served', WARM_UP_CALLS)
  for (const way of OUR_WAYS) await ours(way, WARM_UP_CALLS)
  const bareCosts: CallCost[] = []
  const ourCosts: Record<OurWay, CallCost>[] = []
  for (let round = 1; round <= ROUNDS; round += 1) {
    report(`Calls: round ${round} of ${ROUNDS}, ${CALLS_PER_ROUND} of each kind`)
    // Whoever comes second finds the machine warmer, so the order changes.
    if (round % 2 === 1) bareCosts.push(await bare('served', CALLS_PER_ROUND))
    const own: Partial<Record<OurWay, CallCost>> = {}
    for (const way of OUR_WAYS) own[way] = await ours(way, CALLS_PER_ROUND)
    ourCosts.push(own as Record<OurWay, CallCost>)
    if (round % 2 === 0) bareCosts.push(await bare('served', CALLS_PER_ROUND))
  }
  const clientAndServer = ourCosts.map((own, round) => ({
    numerator: wholeOf(own.served),
    denominator: wholeOf(bareCosts[round] ?? own.served),
  }))
  return [
    lineOf('rpc-stack', STACK_MAX, clientAndServer, {
      note: 'client and server; token, deadline, checked fields, traced 1 %, by grpc-js alone',
    }),
    ...OUR_WAYS.filter((way) => way !== 'served').map((way) =>
      lineOf(
        `rpc-refuse/${way}`,
        REFUSE_MAX,
        ourCosts.map((own) => ({
          numerator: own[way].serverUs,
          denominator: own.served.serverUs,
        })),
        { note: 'the server alone; by a served call, which touches no database here' },
      ),
    ),
  ]
}

function wholeOf({ clientUs, serverUs }: CallCost): number {
  return clientUs + serverUs
}

function lineOf(
  benchmark: string,
  aim: Aim,
  rounds: readonly Round[],
  { note }: { readonly note: string },
): Result {
  return resultOf({ benchmark, aim, rounds, note, unit: 'us of CPU per call' })
}

type Pair = (way: OurWay, calls: number) => Promise<CallCost>

/** A server and a client of it, in a process each. */
async function openPair(
  ends: AsyncDisposableStack,
  side: 'bare' | 'ours',
  env: NodeJS.ProcessEnv,
): Promise<Pair> {
  const key = JSON.stringify(newPrivateJwk('checkout.1'))
  const server = ends.use(await openEnd([side, 'server', key], env))
  const client = ends.use(await openEnd([side, 'client', key, server.address], env))
  return async (way, calls) => {
    await server.ask({})
    const spent = await client.ask({ way, calls, inFlight: IN_FLIGHT })
    const served = await server.ask({})
    return { clientUs: spent.cpuUs / calls, serverUs: served.cpuUs / calls }
  }
}

/** One of the processes. */
interface End extends AsyncDisposable {
  readonly address: string
  /** Fails when the process ended. */
  ask(ask: Partial<RpcAsk>): Promise<RpcAnswer>
}

async function openEnd(args: readonly string[], env: NodeJS.ProcessEnv): Promise<End> {
  const program = fileURLToPath(new URL('main-rpc.ts', import.meta.url))
  const register = import.meta.resolve('@holdfast/telemetry/register')
  const child = fork(program, args, {
    env: { ...process.env, ...env },
    execArgv: ['--disable-warning=DEP0205', '--import', register],
  })
  const ended = once(child, 'exit')
  const answer = async (): Promise<RpcAnswer> => {
    const { promise, resolve, reject } = Promise.withResolvers<RpcAnswer>()
    child.once('message', resolve)
    void ended.then(() =>
      reject(new Error(`A process of the benchmark ended: ${args[0]} ${args[1]}.`)),
    )
    return promise
  }
  const { address } = await answer()
  return {
    address,
    ask: async (ask) => {
      child.send(ask)
      return answer()
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** A collector that takes everything and keeps nothing, and the settings that send to it. */
async function tracingTo(ends: AsyncDisposableStack): Promise<NodeJS.ProcessEnv> {
  const collector = createServer((request, response) => {
    request.resume().on('end', () => response.end())
  })
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  ends.defer(() => {
    collector.closeAllConnections()
    collector.close()
  })
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: String(TRACED_SHARE),
  }
}
