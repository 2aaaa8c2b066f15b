/**
 * Entry of no task queue of this house: the least that a workflow can be. Benchmarks run it beside
 * a purchase on the same server and divide by it.
 */
import { proxyActivities } from '@temporalio/workflow'
import type { EchoActivities, EchoInput } from './contract.ts'

const { echo: activity } = proxyActivities<EchoActivities>({ startToCloseTimeout: '10s' })

/** One regular activity that answers what it was given: 11 history events, 2 workflow tasks. */
export async function echo(input: EchoInput): Promise<EchoInput> {
  return activity(input)
}
