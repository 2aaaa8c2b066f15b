import { GIVEN_BY } from './given.ts'
import { parseAddress } from './ports.ts'
import type { PostgresServer } from './postgres.ts'
import { probePostgres } from './probe.ts'
import { givenServer } from './server.ts'
import { SetupError } from './setup-error.ts'

/** The given Postgres, once it answers. SetupError when the URL is not one or nothing answers. */
export async function givenPostgres(url: string): Promise<PostgresServer> {
  if (!URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new SetupError(`${GIVEN_BY.postgres} must be postgres://user:password@host:port/db.`)
  }
  const { hostname, port } = new URL(url)
  const address = `${hostname}:${port === '' ? '5432' : port}`
  const endpoint = parseAddress(address, GIVEN_BY.postgres)
  const server = await givenServer({
    name: 'postgres',
    variable: GIVEN_BY.postgres,
    address,
    check: (signal) => probePostgres(endpoint, signal),
  })
  return { ...server, superuserUrl: url }
}
