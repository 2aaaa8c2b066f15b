import { randomBytes } from 'node:crypto'
import { assert } from '@holdfast/kernel'
import { sql, type Tx } from '@holdfast/pg'
import {
  decrypt,
  encrypt,
  KEY_BYTES,
  type KeyService,
  SealBroken,
  type WrappedKey,
} from './key-service.ts'

/** Where a sealed value lives; it opens nowhere else, and not under another version of its row. */
export interface SealPlace {
  readonly table: string
  readonly column: string
  /** The row's id in wire form. */
  readonly rowId: string
  /** Whose data it is: one key seals everything of one subject. At most 64 characters. */
  readonly subject: string
  /** The row's version at the time of sealing. */
  readonly version: bigint
}

/** Who opens a value and why, for the audit row. Ids and constant texts only. */
export interface Opener {
  /** E.g. `payment-jobs` or an operator's account id; 1 to 128 characters. */
  readonly actor: string
  /** E.g. `create payout`; 1 to 128 characters. */
  readonly purpose: string
}

/** Seals single values inside the transaction that stores them. */
export interface Vault {
  /** Encrypts under the subject's key, which is made at its first use. */
  seal(tx: Tx, place: SealPlace, plain: Uint8Array): Promise<Uint8Array>
  /**
   * Decrypts and writes the audit row in the same transaction: no commit, no lawful opening. Fails
   * with SealBroken when place or bytes differ from what was sealed or the subject's key is gone,
   * and with UnknownKeyVersion when the key service lacks the key that wraps it.
   */
  open(
    tx: Tx,
    options: { readonly place: SealPlace; readonly sealed: Uint8Array; readonly opener: Opener },
  ): Promise<Uint8Array>
  /**
   * Keyed digests of a value for equality search in `table.column`: store the first, search for
   * any.
   * The value is compared as given: bring it to one form (case, spaces) before.
   */
  digests(options: {
    readonly table: string
    readonly column: string
    readonly value: string
  }): Promise<readonly Uint8Array[]>
}

interface DataKeyRow {
  readonly wrapped_key: Buffer
  readonly key_version: number
}

const findDataKey = sql<DataKeyRow>(
  'vault.data_key.find',
  'SELECT wrapped_key, key_version FROM vault_data_key WHERE subject = $1',
)

const insertDataKey = sql(
  'vault.data_key.insert',
  `INSERT INTO vault_data_key (subject, wrapped_key, key_version) VALUES ($1, $2, $3)
   ON CONFLICT (subject) DO NOTHING`,
)

const insertOpening = sql(
  'vault.opening.insert',
  `INSERT INTO vault_opening
     (subject, table_name, column_name, row_id, actor, purpose, key_version)
   VALUES ($1, $2, $3, $4, $5, $6, $7)`,
)

/** First byte of a sealed value, so that the form may change one day. */
const FORMAT = 1
const SUBJECT_LENGTH_MAX = 64

/** Opens the vault over a key service; its tables are made by `VAULT_MIGRATIONS`. */
export function createVault(options: { readonly keys: KeyService }): Vault {
  const { keys } = options
  return {
    seal: async (tx, place, plain) => {
      const isSubject = place.subject.length >= 1 && place.subject.length <= SUBJECT_LENGTH_MAX
      assert(isSubject, 'a subject has 1 to 64 characters')
      const wrapped = (await readDataKey(tx, place.subject)) ?? (await makeDataKey(tx, keys, place))
      const key = await keys.unwrap(wrapped, place.subject)
      return Buffer.concat([Buffer.of(FORMAT), encrypt({ key, bound: boundTo(place), plain })])
    },
    open: async (tx, { place, sealed, opener }) => {
      const wrapped = await readDataKey(tx, place.subject)
      if (wrapped === undefined || sealed[0] !== FORMAT) throw new SealBroken()
      const key = await keys.unwrap(wrapped, place.subject)
      const plain = decrypt({ key, bound: boundTo(place), sealed: sealed.subarray(1) })
      await writeOpening(tx, { place, opener, keyVersion: wrapped.keyVersion })
      return plain
    },
    digests: ({ table, column, value }) => keys.digests(joined([table, column, value])),
  }
}

async function readDataKey(tx: Tx, subject: string): Promise<WrappedKey | undefined> {
  const row = (await tx.query(findDataKey, [subject])).rows[0]
  return row && { keyVersion: row.key_version, bytes: row.wrapped_key }
}

async function makeDataKey(tx: Tx, keys: KeyService, place: SealPlace): Promise<WrappedKey> {
  const made = await keys.wrap(randomBytes(KEY_BYTES), place.subject)
  await tx.query(insertDataKey, [place.subject, made.bytes, made.keyVersion])
  // Two first seals of one subject: the second waits for the first's commit and takes its key.
  const kept = await readDataKey(tx, place.subject)
  assert(kept !== undefined, 'a data key that was just stored can be read')
  return kept
}

async function writeOpening(
  tx: Tx,
  opening: {
    readonly place: SealPlace
    readonly opener: Opener
    readonly keyVersion: number
  },
): Promise<void> {
  const { place, opener, keyVersion } = opening
  const { subject, table, column, rowId } = place
  const { actor, purpose } = opener
  await tx.query(insertOpening, [subject, table, column, rowId, actor, purpose, keyVersion])
}

function boundTo(place: SealPlace): Uint8Array {
  const { table, column, rowId, subject, version } = place
  return joined([table, column, rowId, subject, version.toString()])
}

/** Parts with their lengths, so that no two lists of parts give the same bytes. */
function joined(parts: readonly string[]): Uint8Array {
  const pieces: Uint8Array[] = []
  for (const part of parts) {
    const bytes = Buffer.from(part, 'utf8')
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.byteLength)
    pieces.push(length, bytes)
  }
  return Buffer.concat(pieces)
}
