import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connectBus, FACTS_STREAM, STOCK_STREAM, type StreamSpec } from '@holdfast/bus'
import { present } from '@holdfast/kernel'
import { databaseName } from '@holdfast/pg'
import { SERVICE_NAMES, type ServiceName } from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { connectTemporal, readHistory } from '@holdfast/temporal'
import { eventually } from '@holdfast/testkit'
import type { Marketplace } from '../marketplace.ts'
import type { Canaries } from './canary-values.ts'

/** Somewhere that a secret may have got to, and all that stands there. */
export interface Place {
  /** `log checkout-1.log`, `database cart order_line` */
  readonly name: string
  readonly text: string
}

const WITHIN_MS = 30_000

/** Which of the canaries stand in which of the places, in any form a dump or log may write them. */
export function search(places: readonly Place[], canaries: Canaries): string[] {
  return places.flatMap(({ name, text }) =>
    [...canaries].flatMap(([what, canary]) =>
      formsOf(canary).some((form) => text.includes(form)) ? [`${name}: ${what}`] : [],
    ),
  )
}

function formsOf(canary: string): readonly string[] {
  const bytes = Buffer.from(canary, 'utf8')
  const inFours = /^\d{16}$/.test(canary) ? [canary.replaceAll(/\d{4}(?=\d)/g, '$& ')] : []
  // Without the last character, which in base64 depends on what follows.
  const base64 = bytes.toString('base64').replace(/=+$/, '').slice(0, -1)
  return [canary, bytes.toString('hex'), base64, encodeURIComponent(canary), ...inFours]
}

/** Every file in the folder of logs. */
export function readLogs(marketplace: Marketplace): Place[] {
  const { logsFolder } = marketplace.endpoints()
  return readdirSync(logsFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => {
      return { name: `log ${name}`, text: readFileSync(join(parentPath, name), 'utf8') }
    })
}

/** /metrics of every process. */
export async function readMetrics(marketplace: Marketplace): Promise<Place[]> {
  const places: Place[] = []
  for (const { name, copy, operationsAddress } of marketplace.endpoints().processes) {
    if (operationsAddress === undefined) continue
    const response = await fetch(`http://${operationsAddress}/metrics`)
    places.push({ name: `metrics ${name} ${copy}`, text: await response.text() })
  }
  return places
}

/** Every row of every table of every service, as text. */
export async function readDatabases(marketplace: Marketplace): Promise<Place[]> {
  const places: Place[] = []
  for (const service of SERVICE_NAMES) {
    places.push(...(await readDatabase(marketplace, service)))
  }
  return places
}

async function readDatabase(marketplace: Marketplace, service: ServiceName): Promise<Place[]> {
  const pool = marketplace.openDatabase(service)
  const places: Place[] = []
  try {
    const tables = await pool.query<{ schema: string; name: string }>(
      `SELECT n.nspname AS schema, c.relname AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
         AND n.nspname NOT LIKE 'pg_toast%'`,
    )
    for (const { schema, name } of tables.rows) {
      const { rows } = await pool.query<{ line: string }>(
        `SELECT t::text AS line FROM "${schema}"."${name}" t`,
      )
      const text = rows.map(({ line }) => line).join('\n')
      places.push({ name: `database ${databaseName(service)} ${name}`, text })
    }
    return places
  } finally {
    await pool.end()
  }
}

/** Every message of the streams, with its subject. */
export async function readStreams(marketplace: Marketplace): Promise<Place[]> {
  const urls = [present(marketplace.endpoints().natsUrl, 'NATS')]
  const parts = { clock: systemClock, log: SILENT_LOGGER }
  await using bus = connectBus({ urls, name: 'canaries', ...parts })
  await bus.whenConnected(AbortSignal.timeout(WITHIN_MS))
  const places: Place[] = []
  for (const stream of [STOCK_STREAM, FACTS_STREAM]) {
    places.push({ name: `stream ${stream.name}`, text: await dumpStream(bus, stream) })
  }
  return places
}

async function dumpStream(bus: ReturnType<typeof connectBus>, stream: StreamSpec): Promise<string> {
  const state = await bus.ensureStream(stream)
  if (state.kind === 'unavailable') throw state.cause
  const texts: string[] = []
  let reached = 0
  await using _reader = bus.consume({
    stream,
    filterSubjects: stream.subjects,
    name: `canaries-${stream.name}`,
    handle: async ({ subject, data, sequence }) => {
      texts.push(`${subject} ${Buffer.from(data).toString('latin1')}`)
      reached = sequence
    },
    park: async () => undefined,
  })
  // Watermarks keep coming, so the last message of the present moment is overtaken.
  await eventually(() => reached >= state.lastSequence, { withinMs: WITHIN_MS })
  return texts.join('\n')
}

/** The history of every workflow that was started since, payloads decoded. */
export async function readHistories(marketplace: Marketplace, since: Date): Promise<Place[]> {
  const temporal = present(
    marketplace.endpoints().backing.find(({ name }) => name === 'temporal'),
    'Temporal',
  )
  const { address } = temporal
  const parts = { clock: systemClock, log: SILENT_LOGGER }
  await using link = await connectTemporal({ address, namespace: 'default', ...parts })
  const { client } = link.connected()
  const places: Place[] = []
  const query = `StartTime >= "${since.toISOString()}"`
  for await (const { workflowId } of client.workflow.list({ query })) {
    const history = await readHistory(link, workflowId)
    const text = JSON.stringify(history, (_name, value: unknown) => decoded(value))
    places.push({ name: `history ${workflowId}`, text })
  }
  return places
}

/** Payloads are base64 in the server's JSON. */
function decoded(value: unknown): unknown {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]{8,}={0,2}$/.test(value)) return value
  return `${value} ${Buffer.from(value, 'base64').toString('latin1')}`
}
