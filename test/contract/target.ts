import type { ServiceName } from '@holdfast/rpc'
import type { RawClient } from './wire.ts'
import type { Witness } from './witness.ts'

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

/** One service of a running marketplace with its database, as the walk needs it. */
export interface Target extends Witness {
  readonly service: ServiceName
  readonly raw: RawClient
  /** A token that `caller` would show to this service. */
  tokenFor(caller: CallerName): Promise<string>
}
