import { unreachable } from '@holdfast/kernel'
import { databaseName, roleName } from '@holdfast/pg'
import type { PlannedProcess } from './ports.ts'
import type { ServiceName, Setting } from './processes.ts'
import type { Secrets } from './secrets.ts'

/** Where everything is that a process may have to be told. */
export interface Surroundings {
  readonly secrets: Secrets
  /** `host:port` */
  readonly postgresAddress: string
  readonly redisUrl: string
  readonly natsUrl: string
  readonly temporalAddress: string
  readonly paymentProviderUrl: string
  /** gRPC addresses of all copies of a service. */
  addressesOf(service: ServiceName): readonly string[]
}

/** Every process of this machine listens here. */
const HOST = '127.0.0.1'

/** The HOLDFAST_ variables of one process: its own and no others. */
export function serviceEnvironment(
  { kind, ports }: Pick<PlannedProcess, 'kind' | 'ports'>,
  surroundings: Surroundings,
): Record<string, string> {
  const { service } = kind
  const prefix = `HOLDFAST_${service.toUpperCase()}_`
  const values: Record<string, string> = {}
  for (const setting of kind.settings) {
    Object.assign(values, settingValues({ setting, service, ports }, surroundings))
  }
  for (const peer of kind.peers) {
    values[`${peer.toUpperCase()}_ADDRESSES`] = surroundings.addressesOf(peer).join(',')
  }
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]),
  )
}

interface Asked {
  readonly setting: Setting
  readonly service: ServiceName
  readonly ports: PlannedProcess['ports']
}

function settingValues(
  { setting, service, ports }: Asked,
  surroundings: Surroundings,
): Record<string, string> {
  const { secrets } = surroundings
  switch (setting) {
    case 'grpc':
      return { LISTEN_ADDRESS: `${HOST}:${ports.grpc}` }
    case 'http':
      return { HTTP_LISTEN_ADDRESS: `${HOST}:${ports.http}` }
    case 'operations':
      return { OPERATIONS_ADDRESS: `${HOST}:${ports.operations}` }
    case 'database':
      return {
        DATABASE_URL: databaseUrl(service, surroundings.postgresAddress),
        DATABASE_PASSWORD_FILE: secrets.databasePassword(service, 'app'),
      }
    case 'redis':
      return { REDIS_URL: surroundings.redisUrl }
    case 'nats':
      return { NATS_URL: surroundings.natsUrl }
    case 'temporal':
      return { TEMPORAL_ADDRESS: surroundings.temporalAddress }
    case 'identity':
      return { SERVICE_KEY_FILE: secrets.serviceKey(service), PEER_KEYS_FILE: secrets.peerKeys }
    case 'page-token-key':
      return { PAGE_TOKEN_KEY_FILE: secrets.pageTokenKey(service) }
    case 'signing-keys':
      return { SIGNING_KEYS_FILE: secrets.signingKeys }
    case 'refresh-secrets':
      return { REFRESH_SECRETS_FILE: secrets.refreshSecrets }
    case 'first-operator':
      return { FIRST_OPERATOR_FILE: secrets.firstOperator }
    case 'provider':
      return {
        PROVIDER_URL: surroundings.paymentProviderUrl,
        PROVIDER_KEY_FILE: secrets.providerKey,
      }
    case 'webhook-secret':
      return { WEBHOOK_SECRET_FILE: secrets.webhookSecret }
    case 'vault-key':
      return { VAULT_KEY_FILE: secrets.vaultKey(service) }
    default:
      return unreachable(setting)
  }
}

function databaseUrl(service: ServiceName, address: string): string {
  return `postgres://${roleName(service, 'app')}@${address}/${databaseName(service)}`
}
