import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describeFailure, SetupError } from '@holdfast/backing'
import {
  createServiceDatabase,
  databaseName,
  DATABASE_ROLES,
  type DatabaseRole,
  migrate,
  type MigrationFolder,
  PG_MIGRATIONS,
  roleName,
} from '@holdfast/pg'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import type { ServiceName } from './processes.ts'
import type { Secrets } from './secrets.ts'

/**
 * Makes one service's roles and database and brings it to the newest schema, as its owner.
 * Idempotent. Returns how many steps were applied. SetupError names the service.
 */
export async function prepareDatabase(options: {
  readonly service: ServiceName
  readonly superuserUrl: string
  readonly secrets: Secrets
  readonly root: string
}): Promise<number> {
  const { service, superuserUrl, secrets, root } = options
  const passwordOf = (role: DatabaseRole) =>
    readFileSync(secrets.databasePassword(service, role), 'utf8').trim()
  const passwords = Object.fromEntries(DATABASE_ROLES.map((role) => [role, passwordOf(role)]))
  try {
    await createServiceDatabase({
      adminUrl: superuserUrl,
      service,
      passwords: passwords as Record<DatabaseRole, string>,
    })
    const owner = new URL(superuserUrl)
    owner.username = roleName(service, 'owner')
    owner.password = passwordOf('owner')
    owner.pathname = `/${databaseName(service)}`
    const folders = migrationFolders(root, service)
    const steps = await migrate({ url: owner.href, folders, log: SILENT_LOGGER })
    return steps.length
  } catch (failure) {
    const what = `The database of ${service} cannot be prepared: ${describeFailure(failure)}`
    throw new SetupError(what, { cause: failure })
  }
}

/**
 * The migrations a service's database needs: those of `pg`, of every package it depends on that
 * has some, then its own.
 */
export function migrationFolders(root: string, service: ServiceName): MigrationFolder[] {
  const manifest = JSON.parse(
    readFileSync(path.join(root, 'services', service, 'package.json'), 'utf8'),
  ) as { dependencies?: Record<string, string> }
  const packages = Object.keys(manifest.dependencies ?? {})
    .filter((name) => name.startsWith('@holdfast/') && name !== '@holdfast/pg')
    .map((name) => name.slice('@holdfast/'.length))
    .map((name) => ({ name, path: path.join(root, 'packages', name, 'migrations') }))
  const own = { name: service, path: path.join(root, 'services', service, 'migrations') }
  return [PG_MIGRATIONS, ...[...packages, own].filter((folder) => existsSync(folder.path))]
}
