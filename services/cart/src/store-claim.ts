import {
  type AccountId,
  type CartId,
  type GuestId,
  IllegalState,
  type OrderId,
  uuidOf,
} from '@holdfast/kernel'
import {
  type AnswerCodec,
  oncePerKey,
  type PrimaryDb,
  type RequestKey,
  sql,
  type Tx,
} from '@holdfast/pg'
import type { Cart } from './domain.ts'
import { AGAIN_ON, cartNotFound, lockCart, lockOpenCart } from './store-cart.ts'
import { mergeCarts } from './store-merge.ts'
import { CART_COLUMNS, type CartRow, noteTransition, toCart } from './store-row.ts'

/** What an order does with a cart. */
export interface ClaimVerb {
  readonly cartId: CartId
  readonly orderId: OrderId
  readonly actor: string
  readonly key: RequestKey
  readonly codec: AnswerCodec<Cart>
}

type ClaimOutcome = 'CLAIMED' | 'RELEASED' | 'COMPLETED'

const findClaim = sql<{ outcome: ClaimOutcome }>(
  'cart.claim.find',
  'SELECT outcome FROM cart_claim WHERE cart_id = $1 AND order_id = $2',
)

const writeClaim = sql(
  'cart.claim.write',
  `INSERT INTO cart_claim (cart_id, order_id, outcome) VALUES ($1, $2, $3)
   ON CONFLICT (cart_id, order_id) DO UPDATE SET outcome = excluded.outcome, updated_at = now()`,
)

const moveCart = sql<CartRow>(
  'cart.claim.move',
  `UPDATE cart SET state = $2, version = version + 1, updated_at = now(), claim_order_id = $3,
     claim_version = $4
   WHERE cart_id = $1 AND version = $5 RETURNING ${CART_COLUMNS}`,
)

/**
 * OPEN → CLAIMED by an order, at the version it was quoted at. Once per key, and the order that
 * holds the claim is answered alike. Fails with NotFound for another buyer's cart, Conflict
 * CART_CHANGED, IllegalState CART_CLAIMED (another order), CART_EMPTY or CLAIM_ENDED.
 */
export async function claimCart(
  db: PrimaryDb,
  claim: ClaimVerb & {
    readonly buyerId: GuestId | AccountId
    readonly expectedVersion: bigint
  },
): Promise<Cart> {
  return onCart(db, claim, async (tx, cart) => {
    if (cart.owner.id !== claim.buyerId) throw cartNotFound()
    const outcome = await outcomeOf(tx, claim)
    if (outcome === 'CLAIMED') return cart
    if (outcome !== undefined) throw claimEnded(outcome)
    refuseUnlessClaimable(cart, claim.expectedVersion)
    await tx.query(writeClaim, [uuidOf(claim.cartId), uuidOf(claim.orderId), 'CLAIMED'])
    return move(tx, cart, { to: 'CLAIMED', claim, reason: 'ordered' })
  })
}

/**
 * Gives a cart back: CLAIMED → OPEN, or → MERGED into the cart opened meanwhile. An order that
 * never claimed leaves a record, so that its late claim is refused. Fails with IllegalState
 * CLAIM_ENDED when the order was paid.
 */
export async function releaseClaim(db: PrimaryDb, claim: ClaimVerb): Promise<Cart> {
  return onCart(db, claim, async (tx, cart) => {
    const outcome = await outcomeOf(tx, claim)
    if (outcome === 'RELEASED') return cart
    if (outcome === 'COMPLETED') throw claimEnded(outcome)
    await tx.query(writeClaim, [uuidOf(claim.cartId), uuidOf(claim.orderId), 'RELEASED'])
    if (outcome === undefined) return cart
    const open = await lockOpenCart(tx, cart.owner)
    if (open === undefined) return move(tx, cart, { to: 'OPEN', claim, reason: 'given back' })
    await mergeCarts(tx, { from: cart, into: open, actor: claim.actor, reason: 'given back' })
    return lockCart(tx, cart.cartId)
  })
}

/** Ends a claim after its order was paid: CLAIMED → ORDERED. A repeat is answered alike. */
export async function completeClaim(db: PrimaryDb, claim: ClaimVerb): Promise<Cart> {
  return onCart(db, claim, async (tx, cart) => {
    const outcome = await outcomeOf(tx, claim)
    if (outcome === 'COMPLETED') return cart
    if (outcome === 'RELEASED') throw claimEnded(outcome)
    if (outcome === undefined) throw cartChanged(cart)
    await tx.query(writeClaim, [uuidOf(claim.cartId), uuidOf(claim.orderId), 'COMPLETED'])
    return move(tx, cart, { to: 'ORDERED', claim, reason: 'paid' })
  })
}

async function onCart(
  db: PrimaryDb,
  claim: ClaimVerb,
  work: (tx: Tx, cart: Cart) => Promise<Cart>,
): Promise<Cart> {
  return db.transaction(async (tx) => {
    const cart = await lockCart(tx, claim.cartId)
    return oncePerKey(tx, claim.key, claim.codec, () => work(tx, cart))
  }, AGAIN_ON)
}

async function outcomeOf(tx: Tx, claim: ClaimVerb): Promise<ClaimOutcome | undefined> {
  const { rows } = await tx.query(findClaim, [uuidOf(claim.cartId), uuidOf(claim.orderId)])
  return rows[0]?.outcome
}

async function move(
  tx: Tx,
  cart: Cart,
  step: {
    readonly to: 'CLAIMED' | 'OPEN' | 'ORDERED'
    readonly claim: ClaimVerb
    readonly reason: string
  },
): Promise<Cart> {
  const isHeld = step.to !== 'OPEN'
  const claimVersion = step.to === 'CLAIMED' ? cart.version : (cart.claimVersion ?? cart.version)
  const row = (
    await tx.query(moveCart, [
      uuidOf(cart.cartId),
      step.to,
      isHeld ? uuidOf(step.claim.orderId) : null,
      isHeld ? claimVersion : null,
      cart.version,
    ])
  ).rows[0]
  if (row === undefined) throw new Error('A locked cart changed under its lock.')
  const moved = toCart(row)
  const { actor } = step.claim
  await noteTransition(tx, { cart: moved, from: cart.state, actor, reason: step.reason })
  return moved
}

function refuseUnlessClaimable(cart: Cart, expectedVersion: bigint): void {
  if (cart.state === 'CLAIMED') {
    throw new IllegalState('CART_CLAIMED', 'Another order holds this cart.', {
      order_id: cart.claimOrderId ?? '',
    })
  }
  if (cart.state !== 'OPEN' || cart.version !== expectedVersion) throw cartChanged(cart)
  if (cart.lineCount === 0) throw new IllegalState('CART_EMPTY', 'The cart has no lines.')
}

function cartChanged(cart: Cart): IllegalState {
  return new IllegalState('CART_CHANGED', 'The cart changed since it was quoted; quote it again.', {
    version: cart.version.toString(),
    state: cart.state,
  })
}

function claimEnded(outcome: ClaimOutcome): IllegalState {
  const text = 'The claim of this order has ended already.'
  return new IllegalState('CLAIM_ENDED', text, { outcome })
}
