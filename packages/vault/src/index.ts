/**
 * Seals single values (an IBAN, a document, an address) inside the transaction that stores them.
 *
 * Promise: a sealed value opens only in its own table, column, row, subject and version; each
 * opening that commits leaves a row saying who and why, which the serving role cannot change; who
 * destroys a subject's key makes all of its values unreadable.
 *
 * Traps. The version is part of the seal: who raises a row's version seals its value again, or
 * keeps the version it was sealed under. Read an opened value only once its transaction has
 * committed. `digests` compares bytes: bring a value to one form first; store the first digest,
 * search for any. A key version that is missing is an error, so keep old keys until nothing is
 * wrapped by them.
 */
export {
  createFileKeyService,
  type KeyService,
  SealBroken,
  UnknownKeyVersion,
  type WrappedKey,
} from './key-service.ts'
export { VAULT_MIGRATIONS } from './migrations.ts'
export { createVault, type Opener, type SealPlace, type Vault } from './vault.ts'
