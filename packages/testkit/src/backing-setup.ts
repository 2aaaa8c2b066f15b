import { type Backing, makeTemporaryFolder, startBacking } from '@holdfast/backing'
import type { TestProject } from 'vitest/node'
// Declares the key "backing" that tests inject.
import type { BackingAddresses } from './backing-context.ts'

interface Running {
  readonly backing: Backing
  readonly removeFolder: () => void
}

let running: Running | undefined

/**
 * Starts Postgres, Redis, NATS and Temporal once for a suite, on free ports and with data in
 * memory, and provides their addresses. A server that cannot be had fails the suite.
 */
export async function setup(project: TestProject): Promise<void> {
  const folder = makeTemporaryFolder()
  try {
    const backing = await startBacking({
      dataFolder: folder.path,
      durable: false,
      report: (line) => {
        process.stderr.write(`servers: ${line}\n`)
      },
    })
    running = { backing, removeFolder: () => folder.remove() }
    project.provide('backing', addressesOf(backing))
  } catch (error) {
    folder.remove()
    throw error
  }
}

/** Stops the suite's servers and removes their data. Idempotent. */
export async function teardown(): Promise<void> {
  const ended = running
  running = undefined
  if (ended === undefined) return
  try {
    await ended.backing.stop()
  } finally {
    ended.removeFolder()
  }
}

function addressesOf(backing: Backing): BackingAddresses {
  const { postgres, redis, nats, temporal } = backing
  if (redis === undefined) throw new Error('The tests need Redis.')
  return {
    postgresAdminUrl: postgres.superuserUrl,
    redisUrl: redis.url,
    natsUrl: nats.url,
    temporalAddress: temporal.address,
  }
}
