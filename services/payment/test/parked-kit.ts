import type { Caller } from '@holdfast/rpc'
import type { ParkedMoney } from '@holdfast/proto/payment'
import { eventually } from '@holdfast/testkit'
import { expect } from 'vitest'
import { asking, type PaymentUnderTest, requestId, scope } from './payment-under-test.ts'

/** What every retry of these tests says why. */
export const WHY = 'The provider says that it is mended.'

/** What names a parked thing in the version that was seen. */
type Seen = Pick<ParkedMoney, 'id' | 'version'>

/** The request that tries a parked thing again. */
export function retryOf({ id, version }: Seen) {
  return { requestId: requestId(), parkedId: id, expectedVersion: version, reason: WHY }
}

/** The list of what is parked, as this operator sees it and acts on it. */
export function openDesk(payment: PaymentUnderTest, operator: Caller) {
  const client = payment.clientOf(operator)
  /** Everything that is parked, page by page. */
  const list = async (pageSize = 200): Promise<readonly ParkedMoney[]> => {
    const all: ParkedMoney[] = []
    let pageToken = ''
    do {
      const page = await client.listParked({ pageSize, pageToken }, scope())
      expect(page.parked.length).toBeLessThanOrEqual(pageSize)
      all.push(...page.parked)
      pageToken = page.nextPageToken
    } while (pageToken !== '')
    return all
  }
  return {
    client,
    list,
    /** The thing of this id, once it is parked with a version of at least `version`. */
    parked: (id: string, version = 0n): Promise<ParkedMoney> =>
      eventually(
        async () => {
          const found = (await list()).find((one) => one.id === id)
          return found !== undefined && found.version >= version && found
        },
        { withinMs: 60_000 },
      ),
    retry: (one: Seen) => {
      const request = retryOf(one)
      return asking(() => client.retryParked(request, scope()))
    },
  }
}
