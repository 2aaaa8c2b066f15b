import { type Id, NotFound, type SellerId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import type { ShippingOption, ShippingProfile } from './domain-offer.ts'
import { type Ask, answerBefore, rememberOutcome, sellerNotFound } from './store-ask.ts'
import { requireVersion } from './store-change.ts'
import { refuseCurrency } from './store-price.ts'
import { shareSeller } from './store-row.ts'

interface OptionJson {
  readonly option_key: string
  readonly label: string
  readonly country_codes: readonly string[]
  readonly currency_code: string
  /** Text, because JSON's numbers end at 2^53. */
  readonly flat_minor: string
  readonly days_min: number
  readonly days_max: number
}

interface ProfileRow {
  readonly shipping_profile_id: string
  readonly seller_id: string
  readonly version: bigint
  readonly name: string
  readonly options: readonly OptionJson[]
  readonly created_at: Date
  readonly updated_at: Date
}

const COLUMNS = `shipping_profile_id, seller_id, version, name, options, created_at, updated_at`

const insertProfile = sql<ProfileRow>(
  'seller.profile.insert',
  `INSERT INTO shipping_profile (shipping_profile_id, seller_id, version, name, options, created_at,
     updated_at)
   VALUES ($1, $2, 1, $3, $4::jsonb, now(), now()) RETURNING ${COLUMNS}`,
)

const lockProfile = sql<ProfileRow>(
  'seller.profile.lock',
  `SELECT ${COLUMNS} FROM shipping_profile WHERE shipping_profile_id = $1 AND seller_id = $2
   FOR NO KEY UPDATE`,
)

const updateProfile = sql<ProfileRow>(
  'seller.profile.update',
  `UPDATE shipping_profile SET name = $3, options = $4::jsonb, version = version + 1,
     updated_at = now()
   WHERE shipping_profile_id = $1 AND version = $2 RETURNING ${COLUMNS}`,
)

const readProfiles = sql<ProfileRow>(
  'seller.profile.read',
  `SELECT ${COLUMNS} FROM shipping_profile WHERE shipping_profile_id = ANY ($1::uuid[])
   ORDER BY shipping_profile_id`,
)

/** A profile as a seller wants it. */
export interface ProfileWish {
  readonly sellerId: SellerId
  readonly shippingProfileId: Id<'shippingProfile'>
  /** True for the id of a new profile, false for one to replace. */
  readonly isNew: boolean
  readonly name: string
  readonly options: readonly ShippingOption[]
  readonly expectedVersion: bigint | undefined
}

/**
 * Makes or replaces a shipping profile. Once per key. Fails with NotFound SELLER_NOT_FOUND or
 * SHIPPING_PROFILE_NOT_FOUND, Conflict VERSION_MISMATCH, InvalidInput CURRENCY_MISMATCH.
 */
export async function setShippingProfile<A>(
  db: PrimaryDb,
  ask: Ask<ShippingProfile, A>,
  wish: ProfileWish,
): Promise<A> {
  return db.transaction(async (tx) => {
    const seller = await shareSeller(tx, wish.sellerId)
    if (seller === undefined) throw sellerNotFound()
    const present = wish.isNew ? undefined : await lockedProfile(tx, wish)
    const before = await answerBefore(tx, ask)
    if (before !== undefined) return before
    for (const [index, option] of wish.options.entries()) {
      refuseCurrency(option.flat, seller.currencyCode, `options[${index}].flat`)
    }
    const profile = present === undefined ? await make(tx, wish) : await replace(tx, wish, present)
    return rememberOutcome(tx, ask, profile)
  })
}

async function lockedProfile(tx: Tx, wish: ProfileWish): Promise<ShippingProfile> {
  const values = [uuidOf(wish.shippingProfileId), uuidOf(wish.sellerId)]
  const row = (await tx.query(lockProfile, values)).rows[0]
  if (row === undefined) throw profileNotFound()
  return toProfile(row)
}

async function make(tx: Tx, wish: ProfileWish): Promise<ShippingProfile> {
  const { rows } = await tx.query(insertProfile, [
    uuidOf(wish.shippingProfileId),
    uuidOf(wish.sellerId),
    wish.name,
    optionsJson(wish.options),
  ])
  if (rows[0] === undefined) throw new Error('The inserted profile was not returned.')
  return toProfile(rows[0])
}

async function replace(
  tx: Tx,
  wish: ProfileWish,
  present: ShippingProfile,
): Promise<ShippingProfile> {
  requireVersion(present, wish.expectedVersion)
  const { rows } = await tx.query(updateProfile, [
    uuidOf(wish.shippingProfileId),
    present.version,
    wish.name,
    optionsJson(wish.options),
  ])
  if (rows[0] === undefined) throw new Error('A locked profile changed under its lock.')
  return toProfile(rows[0])
}

/** The named profiles, by id. */
export async function readShippingProfiles(
  db: PrimaryDb,
  ids: readonly Id<'shippingProfile'>[],
): Promise<readonly ShippingProfile[]> {
  return (await db.read(readProfiles, [ids.map(uuidOf)])).rows.map(toProfile)
}

/** The failure for a profile that is missing or another seller's. */
export function profileNotFound(): NotFound {
  const text = 'There is no such shipping profile of this seller.'
  return new NotFound('SHIPPING_PROFILE_NOT_FOUND', text)
}

function optionsJson(options: readonly ShippingOption[]): string {
  return JSON.stringify(
    options.map(
      (option): OptionJson => ({
        option_key: option.optionKey,
        label: option.label,
        country_codes: option.countryCodes,
        currency_code: option.flat.currency,
        flat_minor: option.flat.minor.toString(),
        days_min: option.daysMin,
        days_max: option.daysMax,
      }),
    ),
  )
}

function toProfile(row: ProfileRow): ShippingProfile {
  return {
    shippingProfileId: idFromUuid('shippingProfile', row.shipping_profile_id),
    sellerId: idFromUuid('seller', row.seller_id),
    version: row.version,
    name: row.name,
    options: row.options.map((option) => ({
      optionKey: option.option_key,
      label: option.label,
      countryCodes: option.country_codes,
      flat: { currency: option.currency_code, minor: BigInt(option.flat_minor) },
      daysMin: option.days_min,
      daysMax: option.days_max,
    })),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
