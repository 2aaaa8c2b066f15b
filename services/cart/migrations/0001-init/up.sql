-- kind: expand
-- A basket of one owner, a guest or an account. owner_number counts the carts of an owner, so that
-- a copy of a later cart beats one of an earlier cart.
CREATE TABLE cart (
  cart_id uuid PRIMARY KEY,
  owner_kind text NOT NULL CHECK (owner_kind IN ('guest', 'account')),
  owner_id uuid NOT NULL,
  owner_number bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('OPEN', 'CLAIMED', 'ORDERED', 'MERGED', 'EXPIRED')),
  version bigint NOT NULL,
  line_count integer NOT NULL CHECK (line_count BETWEEN 0 AND 100),
  currency text,
  claim_order_id uuid,
  claim_version bigint,
  merged_into uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  CONSTRAINT cart_owner_number UNIQUE (owner_id, owner_number),
  CONSTRAINT cart_claim CHECK ((state IN ('CLAIMED', 'ORDERED')) = (claim_order_id IS NOT NULL)),
  CONSTRAINT cart_merged CHECK ((state = 'MERGED') = (merged_into IS NOT NULL))
) WITH (fillfactor = 70);

-- I12: an owner has at most one cart that can change.
CREATE UNIQUE INDEX cart_open_owner ON cart (owner_id) WHERE state = 'OPEN';
CREATE INDEX cart_expiry ON cart (expires_at) WHERE state = 'OPEN' AND expires_at IS NOT NULL;

-- One offer in a cart. Quantity 0 is a removed line, kept for a day as a tombstone.
CREATE TABLE cart_line (
  cart_id uuid NOT NULL REFERENCES cart,
  offer_id uuid NOT NULL,
  seller_id uuid NOT NULL,
  item_id uuid NOT NULL,
  quantity integer NOT NULL CHECK (quantity BETWEEN 0 AND 99),
  line_version bigint NOT NULL,
  seen_price_minor bigint NOT NULL CHECK (seen_price_minor >= 0),
  seen_price_currency text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cart_id, offer_id)
) WITH (fillfactor = 70);

CREATE INDEX cart_line_removed ON cart_line (updated_at) WHERE quantity = 0;

-- What became of an order's claim on a cart; RELEASED also stands for one that never was.
CREATE TABLE cart_claim (
  cart_id uuid NOT NULL REFERENCES cart,
  order_id uuid NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('CLAIMED', 'RELEASED', 'COMPLETED')),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cart_id, order_id)
);

-- Lines that moved from one cart to another, and what a limit cut off.
CREATE TABLE cart_merge (
  cart_id uuid NOT NULL,
  version bigint NOT NULL,
  merged_cart_id uuid NOT NULL,
  capped_offer_ids uuid[] NOT NULL,
  wanted_quantities integer[] NOT NULL,
  kept_quantities integer[] NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cart_id, version)
);

-- Every move of a cart's state, written with it.
CREATE TABLE cart_transition (
  cart_id uuid NOT NULL,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (cart_id, version)
);

REVOKE UPDATE, DELETE ON cart_transition, cart_merge FROM holdfast_cart_app;
REVOKE DELETE ON cart, cart_claim FROM holdfast_cart_app;
