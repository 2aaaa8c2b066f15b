-- kind: expand
-- What the buyer pays with, sealed for whom the quote's address is sealed, so that the payment can
-- be made without the caller. It is there as long as a PENDING order has no payment, no longer.
ALTER TABLE purchase ADD COLUMN payment_method bytea;

-- Not for those who only look, sealed or not.
REVOKE SELECT ON purchase FROM holdfast_checkout_read;
GRANT SELECT (order_id, buyer_id, quote_id, cart_id, cart_version, state, version, currency,
  total_minor, hold_id, hold_state, payment_id, payment_state, refund_id, refunded_at,
  claim_version, action_url, action_expires_at, failure_reason, failure_ids, cancel_requested,
  parked, expires_at, start_due_at, request_key, request_hash, created_at, updated_at)
  ON purchase TO holdfast_checkout_read;
