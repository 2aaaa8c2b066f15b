export {
  createFileKeyService,
  type KeyService,
  SealBroken,
  UnknownKeyVersion,
  type WrappedKey,
} from './key-service.ts'
export { VAULT_MIGRATIONS } from './migrations.ts'
export { createVault, type Opener, type SealPlace, type Vault } from './vault.ts'
