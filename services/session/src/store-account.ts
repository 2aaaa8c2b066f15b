import {
  type AccountId,
  AlreadyExists,
  NotFound,
  type SellerId,
  idFromUuid,
  present,
  uuidOf,
} from '@holdfast/kernel'
import {
  type PrimaryDb,
  type RequestKey,
  type Tx,
  findAnswer,
  rememberAnswer,
  sql,
} from '@holdfast/pg'
import { type Account, MEMBERSHIPS_MAX, type MemberRole, type Membership } from './domain.ts'
import { rememberAnonymous } from './store-key.ts'
import {
  ACCOUNT_COLUMNS,
  type AccountRow,
  MEMBERSHIP_COLUMNS,
  type MembershipRow,
  accountOf,
  membershipOf,
} from './store-row.ts'
import { audit } from './store-session.ts'

const insertAccount = sql<AccountRow>(
  'session.account.insert',
  `INSERT INTO account (account_id, email, email_folded, display_name, password_hash)
   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email_folded) DO NOTHING
   RETURNING ${ACCOUNT_COLUMNS}`,
)

const readAccountRow = sql<AccountRow>(
  'session.account.read',
  `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE account_id = $1`,
)

const readCredentials = sql<{ account_id: string; password_hash: string }>(
  'session.account.credentials',
  'SELECT account_id, password_hash FROM account WHERE email_folded = $1',
)

const lockAccountRow = sql<AccountRow>(
  'session.account.lock',
  `SELECT ${ACCOUNT_COLUMNS} FROM account WHERE account_id = $1 FOR NO KEY UPDATE`,
)

const raiseGeneration = sql<AccountRow>(
  'session.account.raise_generation',
  `WITH raised AS (
     UPDATE account SET generation = generation + 1, version = version + 1, updated_at = now()
     WHERE account_id = $1
     RETURNING ${ACCOUNT_COLUMNS}
   ), revoked AS (
     INSERT INTO revocation (account_id, generation_min) SELECT account_id, generation FROM raised
   )
   SELECT ${ACCOUNT_COLUMNS} FROM raised`,
)

const endAllSessions = sql(
  'session.session.end_all',
  `WITH live AS (
     SELECT session_id FROM session WHERE account_id = $1 AND state = 'ACTIVE'
     ORDER BY session_id FOR NO KEY UPDATE
   ), ended AS (
     UPDATE session s SET state = 'ENDED', end_cause = 'REVOKED', ended_at = now(),
       version = s.version + 1
     FROM live WHERE s.session_id = live.session_id
     RETURNING s.session_id, s.version
   )
   INSERT INTO session_transition (session_id, version, from_state, to_state, reason, actor)
   SELECT session_id, version, 'ACTIVE', 'ENDED', 'REVOKED', $2 FROM ended`,
)

const listMembershipRows = sql<MembershipRow>(
  'session.membership.list',
  `SELECT ${MEMBERSHIP_COLUMNS} FROM membership WHERE account_id = $1
   ORDER BY seller_id LIMIT ${MEMBERSHIPS_MAX}`,
)

const upsertMembership = sql<MembershipRow>(
  'session.membership.upsert',
  `INSERT INTO membership AS m (account_id, seller_id, role) VALUES ($1, $2, $3)
   ON CONFLICT ON CONSTRAINT membership_pkey DO UPDATE SET role = excluded.role,
     version = m.version + (m.role <> excluded.role)::integer,
     updated_at = CASE WHEN m.role = excluded.role THEN m.updated_at ELSE now() END
   RETURNING ${MEMBERSHIP_COLUMNS}`,
)

const makeOperator = sql<AccountRow>(
  'session.account.make_operator',
  `UPDATE account SET is_operator = true, version = version + 1, updated_at = now()
   WHERE account_id = $1 AND NOT is_operator RETURNING ${ACCOUNT_COLUMNS}`,
)

const findOperator = sql<{ account_id: string }>(
  'session.account.find_operator',
  'SELECT account_id FROM account WHERE is_operator LIMIT 1',
)

/** An account to be; the password only as its hash. */
export interface NewAccount {
  readonly accountId: AccountId
  readonly email: string
  readonly emailFolded: string
  readonly displayName: string
  readonly passwordHash: string
}

/**
 * Makes an account. Once per key, for 10 minutes; AlreadyExists ACCOUNT_EXISTS for a taken email.
 */
export async function registerAccount(
  db: PrimaryDb,
  key: RequestKey,
  made: NewAccount,
): Promise<Account> {
  const findBefore = async (tx: Tx): Promise<Account | undefined> => {
    const before = await findAnswer(tx, key)
    return before === undefined ? undefined : readAccountIn(tx, accountIdOf(before))
  }
  try {
    return await db.transaction(async (tx) => {
      const before = await findBefore(tx)
      if (before !== undefined) return before
      const account = await insertIn(tx, made)
      await rememberAnonymous(tx, key, Buffer.from(uuidOf(account.accountId), 'latin1'))
      return account
    })
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error
    // The address may have been taken by this very request, sent twice at once.
    const before = await db.transaction(findBefore)
    if (before !== undefined) return before
    throw error
  }
}

async function insertIn(tx: Tx, made: NewAccount): Promise<Account> {
  const { accountId, email, emailFolded, displayName, passwordHash } = made
  const values = [uuidOf(accountId), email, emailFolded, displayName, passwordHash]
  // A violation of the constraint would write the address into the log of the database.
  const row = (await tx.query(insertAccount, values)).rows[0]
  if (row !== undefined) return accountOf(row)
  const text = 'There is an account with this email address; log in instead.'
  throw new AlreadyExists('ACCOUNT_EXISTS', text)
}

/** Id and password hash of the account with this folded address, or undefined. */
export async function findPassword(
  db: PrimaryDb,
  emailFolded: string,
): Promise<{ readonly accountId: AccountId; readonly passwordHash: string } | undefined> {
  const row = (await db.read(readCredentials, [emailFolded])).rows[0]
  if (row === undefined) return undefined
  const accountId = idFromUuid('account', row.account_id)
  return { accountId, passwordHash: row.password_hash }
}

/** The account under a lock that orders log-ins and revocations of it. */
export async function lockAccount(tx: Tx, accountId: AccountId): Promise<Account> {
  const row = (await tx.query(lockAccountRow, [uuidOf(accountId)])).rows[0]
  if (row === undefined) throw accountNotFound()
  return accountOf(row)
}

/** An account with the sellers it may act for. */
export interface AccountWithMemberships {
  readonly account: Account
  readonly memberships: readonly Membership[]
}

/** The account with its memberships, by seller, at most 100. Fails with NotFound. */
export async function readAccount(
  db: PrimaryDb,
  accountId: AccountId,
): Promise<AccountWithMemberships> {
  const id = uuidOf(accountId)
  const [account, memberships] = await Promise.all([
    db.read(readAccountRow, [id]),
    db.read(listMembershipRows, [id]),
  ])
  if (account.rows[0] === undefined) throw accountNotFound()
  return { account: accountOf(account.rows[0]), memberships: memberships.rows.map(membershipOf) }
}

/** As readAccount, inside a transaction and without memberships. */
async function readAccountIn(tx: Tx, accountId: AccountId): Promise<Account> {
  const row = (await tx.query(readAccountRow, [uuidOf(accountId)])).rows[0]
  if (row === undefined) throw accountNotFound()
  return accountOf(row)
}

/** The account's memberships, by seller, at most 100. */
export async function listMemberships(
  tx: Tx,
  accountId: AccountId,
): Promise<readonly Membership[]> {
  return (await tx.query(listMembershipRows, [uuidOf(accountId)])).rows.map(membershipOf)
}

/** What RevokeAllSessions did. */
export interface AccountRevoked {
  readonly account: Account
  readonly generationMin: number
  readonly revokedAt: Date
}

/**
 * Ends every session of the account by raising its generation. Once per key: a repeat answers what
 * the first did and ends nothing that began since. Fails with NotFound ACCOUNT_NOT_FOUND.
 */
export async function revokeAllSessions(
  db: PrimaryDb,
  request: { readonly key: RequestKey; readonly actor: string; readonly accountId: AccountId },
): Promise<AccountRevoked> {
  const { key, actor, accountId } = request
  return db.transaction(async (tx) => {
    const account = await lockAccount(tx, accountId)
    const before = await findAnswer(tx, key)
    if (before !== undefined) return { account, ...revokedCodec.decode(before) }
    const row = present((await tx.query(raiseGeneration, [uuidOf(accountId)])).rows[0], 'account')
    const raised = accountOf(row)
    await tx.query(endAllSessions, [uuidOf(accountId), actor])
    const detail = `generation ${raised.generation}`
    await audit(tx, { kind: 'SESSIONS_REVOKED', actor, accountId, detail })
    const done = { generationMin: raised.generation, revokedAt: raised.updatedAt }
    await rememberAnswer(tx, key, revokedCodec.encode(done))
    return { account: raised, ...done }
  })
}

/**
 * Gives the account a role at the seller, or changes it. Once per key and by content; Fails with
 * NotFound ACCOUNT_NOT_FOUND.
 */
export async function grantMembership(
  db: PrimaryDb,
  request: { readonly key: RequestKey; readonly actor: string },
  grant: {
    readonly accountId: AccountId
    readonly sellerId: SellerId
    readonly role: MemberRole
  },
): Promise<Membership> {
  const { accountId, sellerId, role } = grant
  return db.transaction(async (tx) => {
    await lockAccount(tx, accountId)
    const before = await findAnswer(tx, request.key)
    if (before !== undefined) return membershipCodec.decode(before)
    const values = [uuidOf(accountId), uuidOf(sellerId), role]
    const row = present((await tx.query(upsertMembership, values)).rows[0], 'the membership')
    const detail = `${role} of ${sellerId}`
    await audit(tx, { kind: 'MEMBERSHIP_GRANTED', actor: request.actor, accountId, detail })
    const membership = membershipOf(row)
    await rememberAnswer(tx, request.key, membershipCodec.encode(membership))
    return membership
  })
}

/**
 * Makes the first operator: a new account, or the existing one of that address, which `isSame` must
 * recognise by its password hash, since anyone may have registered the address before. Does nothing
 * once there is an operator. Idempotent.
 */
export async function makeFirstOperator(
  db: PrimaryDb,
  made: NewAccount,
  isSame: (accountId: AccountId) => boolean,
): Promise<'made' | 'exists' | 'refused'> {
  return db.transaction(async (tx) => {
    if ((await tx.query(findOperator)).rowCount > 0) return 'exists'
    const found = (await tx.query(readCredentials, [made.emailFolded])).rows[0]
    const known = found === undefined ? undefined : idFromUuid('account', found.account_id)
    if (known !== undefined && !isSame(known)) return 'refused'
    const accountId = known ?? (await insertIn(tx, made)).accountId
    await tx.query(makeOperator, [uuidOf(accountId)])
    const actor = 'service:session'
    await audit(tx, { kind: 'OPERATOR_MADE', actor, accountId, detail: 'first operator' })
    return 'made'
  })
}

function accountIdOf(answer: Uint8Array): AccountId {
  return idFromUuid('account', Buffer.from(answer).toString('latin1'))
}

const revokedCodec = {
  encode: (done: Omit<AccountRevoked, 'account'>): Uint8Array =>
    Buffer.from(JSON.stringify([done.generationMin, done.revokedAt.toISOString()]), 'latin1'),
  decode: (bytes: Uint8Array): Omit<AccountRevoked, 'account'> => {
    const [generationMin, revokedAt] = JSON.parse(Buffer.from(bytes).toString('latin1')) as [
      number,
      string,
    ]
    return { generationMin, revokedAt: new Date(revokedAt) }
  },
}

const membershipCodec = {
  encode: (membership: Membership): Uint8Array =>
    Buffer.from(JSON.stringify({ ...membership, version: String(membership.version) }), 'latin1'),
  decode: (bytes: Uint8Array): Membership => {
    const raw = JSON.parse(Buffer.from(bytes).toString('latin1')) as Record<
      keyof Membership,
      string
    >
    return {
      accountId: raw.accountId as AccountId,
      sellerId: raw.sellerId as SellerId,
      role: raw.role as MemberRole,
      version: BigInt(raw.version),
      createdAt: new Date(raw.createdAt),
      updatedAt: new Date(raw.updatedAt),
    }
  },
}

function accountNotFound(): NotFound {
  return new NotFound('ACCOUNT_NOT_FOUND', 'There is no such account.')
}
