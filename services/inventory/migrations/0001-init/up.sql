-- kind: expand
-- Who the units belong to. Narrow and nearly never changed, apart from the levels.
CREATE TABLE stock_item (
  item_id uuid PRIMARY KEY,
  seller_id uuid NOT NULL,
  sku text NOT NULL CHECK (length(sku) BETWEEN 1 AND 64),
  location text NOT NULL CHECK (length(location) BETWEEN 1 AND 64),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT stock_item_seller_sku_location UNIQUE (seller_id, sku, location)
);

-- The units themselves. No secondary index and a low fill factor, so that updates stay in their
-- page; no foreign key points here, because it would take share locks on the hottest rows.
CREATE TABLE stock_level (
  item_id uuid PRIMARY KEY,
  on_hand integer NOT NULL,
  reserved integer NOT NULL,
  version bigint NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT stock_level_not_negative CHECK (0 <= reserved AND reserved <= on_hand),
  CONSTRAINT stock_level_on_hand_max CHECK (on_hand <= 1000000000)
) WITH (fillfactor = 50);

-- Units set aside for an order. A hold's own row is its request key: caller-made id and request
-- hash.
CREATE TABLE hold (
  hold_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('HELD', 'PINNED', 'CONFIRMED', 'RELEASED', 'EXPIRED')),
  version bigint NOT NULL,
  item_ids uuid[] NOT NULL,
  quantities integer[] NOT NULL,
  restocked integer[] NOT NULL,
  request_key bytea,
  request_hash bytea,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT hold_request_key UNIQUE (request_key),
  CONSTRAINT hold_lines_match CHECK (
    cardinality(item_ids) = cardinality(quantities)
    AND cardinality(item_ids) = cardinality(restocked)
    AND cardinality(item_ids) <= 100
  )
);

CREATE INDEX hold_due ON hold (expires_at) WHERE state = 'HELD';
CREATE INDEX hold_pinned ON hold (order_id) WHERE state = 'PINNED';

-- Every move of a hold's state, written with it.
CREATE TABLE hold_transition (
  hold_id uuid NOT NULL,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (hold_id, version)
);

-- Every change of a level, one row per version: replaying them gives the level.
CREATE TABLE stock_movement (
  item_id uuid NOT NULL,
  version bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN (
    'CREATED', 'RECEIVED', 'WRITTEN_OFF', 'CORRECTED', 'COUNTED',
    'HELD', 'CONFIRMED', 'RELEASED', 'EXPIRED', 'RESTOCKED')),
  on_hand_delta integer NOT NULL,
  reserved_delta integer NOT NULL,
  hold_id uuid,
  actor text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (item_id, version)
) PARTITION BY HASH (item_id);

CREATE TABLE stock_movement_0 PARTITION OF stock_movement FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE stock_movement_1 PARTITION OF stock_movement FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE stock_movement_2 PARTITION OF stock_movement FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE stock_movement_3 PARTITION OF stock_movement FOR VALUES WITH (MODULUS 4, REMAINDER 3);

-- History is written once: the serving role can neither change nor delete it.
REVOKE UPDATE, DELETE ON hold_transition, stock_movement,
  stock_movement_0, stock_movement_1, stock_movement_2, stock_movement_3
  FROM holdfast_inventory_app;
REVOKE DELETE ON stock_item, stock_level, hold FROM holdfast_inventory_app;
