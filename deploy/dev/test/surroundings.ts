import type { Surroundings } from '../src/environment.ts'
import type { Secrets } from '../src/secrets.ts'

const SECRETS: Secrets = {
  folder: '/s',
  serviceKey: (service) => `/s/${service}-key`,
  peerKeys: '/s/peers',
  pageTokenKey: (service) => `/s/${service}-page`,
  vaultKey: (service) => `/s/${service}-vault`,
  databasePassword: (service, role) => `/s/${service}-${role}`,
  signingKeys: '/s/signing',
  refreshSecrets: '/s/refresh',
  firstOperator: '/s/operator',
  providerKey: '/s/provider',
  webhookSecret: '/s/webhook',
  made: 0,
}

/** What a start tells its processes of, with two copies of each service and no real address. */
export const SURROUNDINGS: Surroundings = {
  secrets: SECRETS,
  postgresAddress: '127.0.0.1:7432',
  redisUrl: 'redis://127.0.0.1:7379',
  natsUrl: 'nats://127.0.0.1:7222',
  temporalAddress: '127.0.0.1:7233',
  paymentProviderUrl: 'http://127.0.0.1:7100',
  addressesOf: (service) => [`${service}:1`, `${service}:2`],
}
