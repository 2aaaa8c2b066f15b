-- kind: expand
-- A price promise. Written once; what an order shows of prices is read from here, so nobody can
-- change it after the buyer agreed (I13).
CREATE TABLE quote (
  quote_id uuid PRIMARY KEY,
  buyer_id text NOT NULL CHECK (buyer_id ~ '^(gst|acc)_[0-9a-z]{26}$'),
  cart_id uuid NOT NULL,
  cart_version bigint NOT NULL,
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  goods_minor bigint NOT NULL CHECK (goods_minor >= 0),
  shipping_minor bigint NOT NULL CHECK (shipping_minor >= 0),
  tax_minor bigint NOT NULL CHECK (tax_minor >= 0),
  total_minor bigint NOT NULL,
  -- The address, sealed; only the country is needed in the clear.
  ship_to bytea NOT NULL,
  -- For whom it was sealed: whose key opens it, also after the buyer logged in.
  ship_to_subject text NOT NULL,
  country text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT quote_total CHECK (total_minor = goods_minor + shipping_minor + tax_minor)
);

CREATE INDEX quote_buyer ON quote (buyer_id);
CREATE INDEX quote_expiry ON quote (expires_at);

CREATE TABLE quote_seller (
  quote_id uuid NOT NULL REFERENCES quote ON DELETE CASCADE,
  seller_id uuid NOT NULL,
  display_name text NOT NULL,
  commission_basis_points integer NOT NULL CHECK (commission_basis_points BETWEEN 0 AND 10000),
  goods_minor bigint NOT NULL CHECK (goods_minor >= 0),
  shipping_minor bigint NOT NULL CHECK (shipping_minor >= 0),
  seller_tax_minor bigint NOT NULL CHECK (seller_tax_minor >= 0),
  platform_tax_minor bigint NOT NULL CHECK (platform_tax_minor >= 0),
  commission_minor bigint NOT NULL CHECK (commission_minor >= 0),
  commission_tax_minor bigint NOT NULL CHECK (commission_tax_minor >= 0),
  seller_share_minor bigint NOT NULL CHECK (seller_share_minor >= 0),
  PRIMARY KEY (quote_id, seller_id),
  CONSTRAINT quote_seller_share CHECK (
    seller_share_minor = goods_minor + shipping_minor + seller_tax_minor
      - commission_minor - commission_tax_minor
  )
);

CREATE TABLE quote_line (
  quote_id uuid NOT NULL,
  offer_id uuid NOT NULL,
  seller_id uuid NOT NULL,
  offer_version bigint NOT NULL,
  item_id uuid NOT NULL,
  sku text NOT NULL,
  title text NOT NULL,
  quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 99),
  unit_price_minor bigint NOT NULL CHECK (unit_price_minor >= 0),
  goods_minor bigint NOT NULL CHECK (goods_minor >= 0),
  tax_basis_points integer NOT NULL CHECK (tax_basis_points BETWEEN 0 AND 10000),
  tax_included boolean NOT NULL,
  tax_remitter text NOT NULL CHECK (tax_remitter IN ('SELLER', 'PLATFORM')),
  tax_minor bigint NOT NULL CHECK (tax_minor >= 0),
  commission_minor bigint NOT NULL CHECK (commission_minor >= 0),
  PRIMARY KEY (quote_id, offer_id),
  FOREIGN KEY (quote_id, seller_id) REFERENCES quote_seller ON DELETE CASCADE,
  -- What is asked is never changed by taking the tax apart.
  CONSTRAINT quote_line_asked CHECK (
    unit_price_minor * quantity = goods_minor + CASE WHEN tax_included THEN tax_minor ELSE 0 END
  )
);

CREATE TABLE quote_shipping (
  quote_id uuid NOT NULL,
  seller_id uuid NOT NULL,
  option_key text NOT NULL,
  position integer NOT NULL,
  label text NOT NULL,
  price_minor bigint NOT NULL CHECK (price_minor >= 0),
  tax_basis_points integer NOT NULL CHECK (tax_basis_points BETWEEN 0 AND 10000),
  tax_included boolean NOT NULL,
  tax_remitter text NOT NULL CHECK (tax_remitter IN ('SELLER', 'PLATFORM')),
  tax_minor bigint NOT NULL CHECK (tax_minor >= 0),
  days_min integer NOT NULL,
  days_max integer NOT NULL,
  chosen boolean NOT NULL,
  source text NOT NULL CHECK (source IN ('LIVE', 'CACHED', 'TABLE')),
  PRIMARY KEY (quote_id, seller_id, option_key),
  FOREIGN KEY (quote_id, seller_id) REFERENCES quote_seller ON DELETE CASCADE
);

CREATE UNIQUE INDEX quote_shipping_chosen ON quote_shipping (quote_id, seller_id) WHERE chosen;

-- A purchase. Every write names the version it is based on, so that a process that slept cannot
-- undo what happened meanwhile. Its own row is its request key, which lives as long as the order.
CREATE TABLE purchase (
  order_id uuid PRIMARY KEY,
  buyer_id text NOT NULL CHECK (buyer_id ~ '^(gst|acc)_[0-9a-z]{26}$'),
  quote_id uuid NOT NULL REFERENCES quote,
  cart_id uuid NOT NULL,
  cart_version bigint NOT NULL,
  state text NOT NULL CHECK (state IN (
    'PENDING', 'RESERVED', 'PAYING', 'PAID', 'IN_REVIEW', 'ACTION_REQUIRED', 'CANCELLING',
    'COMPLETED', 'REJECTED', 'DECLINED', 'CANCELLED', 'EXPIRED')),
  version bigint NOT NULL,
  currency text NOT NULL,
  total_minor bigint NOT NULL,
  hold_id uuid NOT NULL,
  hold_state text CHECK (hold_state IN ('HELD', 'PINNED', 'CONFIRMED', 'RELEASED', 'EXPIRED')),
  payment_id uuid NOT NULL,
  payment_state text CHECK (payment_state IN (
    'CREATED', 'OPENED', 'AUTHORIZING', 'ACTION_REQUIRED', 'AUTHORIZED', 'CAPTURING', 'CAPTURED',
    'VOIDING', 'VOIDED', 'DECLINED', 'FAILED', 'CANCELLED', 'LAPSED')),
  refund_id uuid NOT NULL,
  -- Set once the buyer's money is on its way back.
  refunded_at timestamptz,
  claim_version bigint,
  action_url text NOT NULL DEFAULT '',
  action_expires_at timestamptz,
  failure_reason text,
  failure_ids text[] NOT NULL DEFAULT '{}',
  cancel_requested boolean NOT NULL DEFAULT false,
  parked boolean NOT NULL DEFAULT false,
  expires_at timestamptz,
  -- When a process other than the one that placed the order looks after it; null once it ended.
  start_due_at timestamptz,
  request_key bytea NOT NULL,
  request_hash bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT purchase_request_key UNIQUE (request_key),
  -- I26: money is captured only while the stock is pinned or sold.
  CONSTRAINT purchase_captured_pinned CHECK (
    payment_state IS NULL OR payment_state NOT IN ('CAPTURING', 'CAPTURED')
    OR hold_state IN ('PINNED', 'CONFIRMED')
  ),
  -- I2: an order is paid exactly when its money was captured and its stock sold.
  CONSTRAINT purchase_paid_captured CHECK (
    state NOT IN ('PAID', 'COMPLETED')
    OR (payment_state = 'CAPTURED' AND hold_state = 'CONFIRMED')
  )
);

-- One live order per cart.
CREATE UNIQUE INDEX purchase_live_cart ON purchase (cart_id) WHERE state IN (
  'PENDING', 'RESERVED', 'PAYING', 'IN_REVIEW', 'ACTION_REQUIRED', 'CANCELLING');
CREATE INDEX purchase_buyer ON purchase (buyer_id, order_id DESC);
CREATE INDEX purchase_due ON purchase (start_due_at) WHERE start_due_at IS NOT NULL;

CREATE TABLE order_transition (
  order_id uuid NOT NULL,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor_kind text NOT NULL,
  actor text NOT NULL,
  reason text,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (order_id, version)
);

CREATE TABLE sub_order (
  sub_order_id uuid PRIMARY KEY,
  order_id uuid NOT NULL REFERENCES purchase,
  seller_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN (
    'UNPAID', 'AWAITING_SHIPMENT', 'SHIPPED', 'CANCELLING', 'CANCELLED', 'DELIVERED', 'LOST',
    'COMPLETED', 'RETURN_REQUESTED', 'RETURNING', 'RETURNED')),
  version bigint NOT NULL,
  due_at timestamptz,
  due_action text,
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT sub_order_order_seller UNIQUE (order_id, seller_id)
);

CREATE INDEX sub_order_seller ON sub_order (seller_id, order_id DESC);
CREATE INDEX sub_order_due ON sub_order (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE sub_order_transition (
  sub_order_id uuid NOT NULL,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor_kind text NOT NULL,
  actor text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (sub_order_id, version)
);

-- What an ended or paid order still owes to other services; repeated until done.
CREATE TABLE order_duty (
  order_id uuid NOT NULL REFERENCES purchase,
  duty text NOT NULL CHECK (duty IN (
    'COMPLETE_CLAIM', 'RELEASE_CLAIM', 'RELEASE_HOLD', 'VOID_PAYMENT', 'REFUND')),
  due_at timestamptz NOT NULL DEFAULT now(),
  attempts integer NOT NULL DEFAULT 0,
  done_at timestamptz,
  PRIMARY KEY (order_id, duty)
);

CREATE INDEX order_duty_due ON order_duty (due_at) WHERE done_at IS NULL;

-- Steps that cannot go on by themselves. park_key makes a repeat of the record the same park.
CREATE TABLE park (
  order_id uuid NOT NULL REFERENCES purchase,
  park_seq integer NOT NULL CHECK (park_seq >= 1),
  park_key text NOT NULL,
  step text NOT NULL,
  reason text NOT NULL,
  -- Whole milliseconds, because a list goes on after such a time.
  parked_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
  -- When the run went on; until then the order counts as parked.
  closed_at timestamptz,
  PRIMARY KEY (order_id, park_seq),
  CONSTRAINT park_key_once UNIQUE (park_key)
);

CREATE INDEX park_open ON park (parked_at, order_id) WHERE closed_at IS NULL;

-- The audit of operators' decisions: one per park, never changed.
CREATE TABLE park_decision (
  order_id uuid NOT NULL,
  park_seq integer NOT NULL,
  action text NOT NULL CHECK (action IN ('retry', 'cancel')),
  actor_kind text NOT NULL,
  actor text NOT NULL,
  why text NOT NULL,
  decided_at timestamptz NOT NULL DEFAULT now(),
  send_due_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (order_id, park_seq),
  FOREIGN KEY (order_id, park_seq) REFERENCES park
);

-- History and promises are written once: the serving role can neither change nor delete them.
REVOKE UPDATE, DELETE ON quote, quote_seller, quote_line, quote_shipping, order_transition,
  sub_order_transition, park_decision FROM holdfast_checkout_app;
GRANT UPDATE (buyer_id) ON quote TO holdfast_checkout_app;
GRANT UPDATE (send_due_at) ON park_decision TO holdfast_checkout_app;
REVOKE DELETE ON purchase, sub_order, order_duty, park FROM holdfast_checkout_app;
-- Sealed addresses are not for those who only look.
REVOKE SELECT ON quote FROM holdfast_checkout_read;
GRANT SELECT (quote_id, buyer_id, cart_id, cart_version, currency, goods_minor, shipping_minor,
  tax_minor, total_minor, country, created_at, expires_at) ON quote TO holdfast_checkout_read;
