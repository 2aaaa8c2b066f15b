import { parseAddress } from './ports.ts'
import type { PostgresServer } from './postgres.ts'
import { probePostgres } from './probe.ts'
import { givenServer } from './server.ts'
import { SetupError } from './setup-error.ts'

/** Names an existing Postgres 18 by a superuser's URL: `postgres://user:password@host:port/db`. */
export const POSTGRES_URL_VARIABLE = 'HOLDFAST_BACKING_POSTGRES_URL'

/** The given Postgres, once it answers. SetupError when the URL is not one or nothing answers. */
export async function givenPostgres(url: string): Promise<PostgresServer> {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new SetupError(`${POSTGRES_URL_VARIABLE} must be postgres://user:password@host:port/db.`)
  }
  const { hostname, port } = new URL(url)
  const address = `${hostname}:${port === '' ? '5432' : port}`
  const endpoint = parseAddress(address, POSTGRES_URL_VARIABLE)
  const server = await givenServer({
    name: 'postgres',
    variable: POSTGRES_URL_VARIABLE,
    address,
    check: (signal) => probePostgres(endpoint, signal),
  })
  return { ...server, superuserUrl: url }
}
