/**
 * One end of `npm run bench -- rpc`, in a process of its own so that its CPU time is its own:
 * `<ours|bare> server <key>` or `<ours|bare> client <key> <address>`.
 */
import type { PrivateJwk } from '@holdfast/rpc'
import { fly } from './flight.ts'
import {
  openBareClient,
  openBareServer,
  openOurClient,
  openOurServer,
  type RpcClientSide,
} from './rpc-sides.ts'

/** What is asked of a client: this many calls, so many at a time. A server is asked nothing. */
export interface RpcAsk {
  readonly way: string
  readonly calls: number
  readonly inFlight: number
}

/** CPU time since the process was asked before, microseconds; a server says first where it is. */
export interface RpcAnswer {
  readonly cpuUs: number
  readonly address: string
}

const [side, end, keyJson = '', serverAddress = ''] = process.argv.slice(2)
const isBare = side === 'bare'
const key = JSON.parse(keyJson) as PrivateJwk
let before = process.cpuUsage()
let address = ''
let client: RpcClientSide<never> | undefined
if (end === 'server') {
  ;({ address } = isBare ? await openBareServer() : await openOurServer(key))
} else {
  client = isBare ? openBareClient(serverAddress) : openOurClient(serverAddress, key)
}

process.on('message', (ask: Partial<RpcAsk>) => {
  void measure(ask).then((answer) => process.send?.(answer))
})
process.once('disconnect', () => process.exit(0))
process.send?.({ cpuUs: 0, address } satisfies RpcAnswer)

async function measure({ way, calls = 0, inFlight = 1 }: Partial<RpcAsk>): Promise<RpcAnswer> {
  await client?.during(way as never, async (call) => {
    before = process.cpuUsage()
    await fly(Array.from({ length: calls }), inFlight, call)
  })
  const { user, system } = process.cpuUsage(before)
  before = process.cpuUsage()
  return { cpuUs: user + system, address }
}
