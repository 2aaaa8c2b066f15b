import type { ServiceName } from '@holdfast/rpc'
import type { RawClient } from './wire.ts'

/** Who calls in a cell of the walk. `other…` are of another tenant, with things of their own. */
export type CallerName =
  | 'anonymous'
  | 'guest'
  | 'otherGuest'
  | 'account'
  | 'otherAccount'
  | 'owner'
  | 'viewer'
  | 'otherOwner'
  | 'operator'
  | `service:${ServiceName}`

/** What a database holds: a count and a content hash per table. */
export type Snapshot = Readonly<Record<string, string>>

/** One service of a running marketplace, as the walk needs it. */
export interface Target {
  readonly service: ServiceName
  readonly raw: RawClient
  /** A token that `caller` would show to this service. */
  tokenFor(caller: CallerName): Promise<string>
  /** What this service's database holds now, without what its loops move by themselves. */
  snapshot(): Promise<Snapshot>
}
