import { Channel, ChannelCredentials, type ChannelOptions, connectivityState } from '@grpc/grpc-js'
import { type Clock, SECOND_MS } from '@holdfast/kernel'
import { type Logger, counter } from '@holdfast/telemetry'

/**
 * How a channel finds out what became of its peer: keepalive tells a dead connection after 13 s at
 * most, and whoever comes back is asked again within a second.
 */
const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  // A new channel to the same target would else get the stuck connection of the old one.
  'grpc.use_local_subchannel_pool': 1,
}

/** Not connected and not answered for this long, ms, a channel is taken for stuck. */
const STUCK_MS = 5 * SECOND_MS
/** Longest pause between two new channels, ms: a peer that hangs for an hour costs 180. */
const RENEW_PAUSE_MS_MAX = 20 * SECOND_MS

const renewals = counter('holdfast_rpc_client_channels_renewed_total', 'Stuck channels replaced')

/** The connections to one peer; what speaks over them is made anew when they are. */
export interface Line<T> extends Disposable {
  /** What speaks over the present channel. */
  present(): T
  /** The peer was heard. */
  heard(): void
  /** Nothing was heard of the peer in the time of a call. */
  missed(): void
}

/**
 * Opens the channel to a target and replaces it when it is stuck: grpc-js waits 20 s for a peer
 * that takes the connection and then says nothing, and has waited longer (grpc-node#2785).
 */
export function openLine<T>(options: {
  readonly target: string
  readonly speak: (channel: Channel) => T
  readonly peer: string
  readonly clock: Clock
  readonly log: Logger
}): Line<T> {
  const { target, speak, peer, clock, log } = options
  const open = () => {
    const channel = new Channel(target, ChannelCredentials.createInsecure(), CHANNEL_OPTIONS)
    return { channel, speaker: speak(channel) }
  }
  let present = open()
  let missedSinceMs: number | undefined
  let pauseMs = STUCK_MS
  const renew = (): void => {
    renewals.add(1, { to: peer })
    log.warn('A channel was stuck and is replaced', { peer })
    const old = present
    present = open()
    missedSinceMs = undefined
    pauseMs = Math.min(pauseMs * 2, RENEW_PAUSE_MS_MAX)
    // Calls that still wait for its connection were never sent; those under way may finish.
    old.channel.close()
  }
  return {
    present: () => present.speaker,
    heard: () => {
      missedSinceMs = undefined
      pauseMs = STUCK_MS
    },
    missed: () => {
      // Once connected, keepalive watches; after a refusal, grpc-js itself tries again.
      if (present.channel.getConnectivityState(false) !== connectivityState.CONNECTING) return
      missedSinceMs ??= clock.monotonicMs()
      if (clock.monotonicMs() - missedSinceMs >= pauseMs) renew()
    },
    [Symbol.dispose]: () => present.channel.close(),
  }
}
