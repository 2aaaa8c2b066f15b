-- kind: expand
-- The money of one order. A payment that was voided before it was made has no amount.
CREATE TABLE payment (
  payment_id uuid NOT NULL,
  order_id uuid NOT NULL,
  -- Wire form, because a buyer is a guest or an account; also the vault's subject of the token.
  buyer_id text CHECK (length(buyer_id) <= 64),
  state text NOT NULL CHECK (state IN (
    'CREATED', 'OPENED', 'AUTHORIZING', 'ACTION_REQUIRED', 'AUTHORIZED', 'CAPTURING', 'CAPTURED',
    'VOIDING', 'VOIDED', 'DECLINED', 'FAILED', 'CANCELLED', 'LAPSED')),
  version bigint NOT NULL CHECK (version >= 1),
  currency text CHECK (currency ~ '^[A-Z]{3}$'),
  amount_minor bigint CHECK (amount_minor BETWEEN 1 AND 1000000000000000),
  captured_minor bigint NOT NULL DEFAULT 0,
  refunded_minor bigint NOT NULL DEFAULT 0,
  -- The provider's token of the buyer's payment method, until it is not needed any more.
  method_sealed bytea,
  return_url text CHECK (length(return_url) <= 2000),
  provider text NOT NULL,
  intent_id text CHECK (length(intent_id) <= 200),
  action_url text CHECK (length(action_url) <= 2000),
  action_expires_at timestamptz,
  capture_before timestamptz,
  decline_reason text,
  parked_reason text,
  state_since timestamptz NOT NULL DEFAULT now(),
  -- One caller at a time talks to the provider: it holds the lease; the fence refuses a late one.
  fence bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  next_look_at timestamptz,
  look_count integer NOT NULL DEFAULT 0,
  request_key bytea CHECK (octet_length(request_key) = 32),
  request_hash bytea CHECK (octet_length(request_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT payment_pkey PRIMARY KEY (payment_id),
  CONSTRAINT payment_order UNIQUE (order_id),
  CONSTRAINT payment_request_key UNIQUE (request_key),
  CONSTRAINT payment_intent UNIQUE (provider, intent_id),
  CONSTRAINT payment_amount CHECK (
    (amount_minor IS NOT NULL AND currency IS NOT NULL AND buyer_id IS NOT NULL)
    OR (amount_minor IS NULL AND currency IS NULL AND state = 'CANCELLED')),
  -- I2: captured is nothing or the whole, and no more goes back than came.
  CONSTRAINT payment_captured_whole CHECK (
    captured_minor = CASE WHEN state = 'CAPTURED' THEN amount_minor ELSE 0 END),
  CONSTRAINT payment_refunded CHECK (refunded_minor BETWEEN 0 AND captured_minor),
  CONSTRAINT payment_known_to_provider CHECK (
    intent_id IS NOT NULL OR state IN ('CREATED', 'CANCELLED'))
);

CREATE INDEX payment_look ON payment (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX payment_parked ON payment (payment_id) WHERE parked_reason IS NOT NULL;
CREATE INDEX payment_unresolved ON payment (state_since)
  WHERE state IN ('AUTHORIZING', 'CAPTURING', 'VOIDING');

-- What each sub-order takes of a payment, frozen at the sale.
CREATE TABLE payment_split (
  payment_id uuid NOT NULL REFERENCES payment,
  position smallint NOT NULL,
  sub_order_id uuid NOT NULL,
  seller_id uuid NOT NULL,
  goods_minor bigint NOT NULL CHECK (goods_minor >= 0),
  shipping_minor bigint NOT NULL CHECK (shipping_minor >= 0),
  seller_tax_minor bigint NOT NULL CHECK (seller_tax_minor >= 0),
  platform_tax_minor bigint NOT NULL CHECK (platform_tax_minor >= 0),
  commission_minor bigint NOT NULL CHECK (commission_minor >= 0),
  commission_tax_minor bigint NOT NULL CHECK (commission_tax_minor >= 0),
  PRIMARY KEY (payment_id, position),
  CONSTRAINT payment_split_sub_order UNIQUE (sub_order_id),
  CONSTRAINT payment_split_seller_share CHECK (
    goods_minor + shipping_minor + seller_tax_minor >= commission_minor + commission_tax_minor)
);

-- Money on its way back to a buyer.
CREATE TABLE refund (
  refund_id uuid NOT NULL,
  payment_id uuid NOT NULL REFERENCES payment,
  state text NOT NULL CHECK (state IN ('REQUESTED', 'SENDING', 'PENDING', 'SUCCEEDED', 'FAILED')),
  version bigint NOT NULL CHECK (version >= 1),
  amount_minor bigint NOT NULL CHECK (amount_minor > 0),
  reason text NOT NULL,
  provider_refund_id text CHECK (length(provider_refund_id) <= 200),
  parked_reason text,
  state_since timestamptz NOT NULL DEFAULT now(),
  fence bigint NOT NULL DEFAULT 0,
  lease_until timestamptz,
  next_look_at timestamptz,
  look_count integer NOT NULL DEFAULT 0,
  request_key bytea NOT NULL CHECK (octet_length(request_key) = 32),
  request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT refund_pkey PRIMARY KEY (refund_id),
  CONSTRAINT refund_request_key UNIQUE (request_key)
);

CREATE INDEX refund_payment ON refund (payment_id, created_at);
CREATE INDEX refund_provider ON refund (provider_refund_id) WHERE provider_refund_id IS NOT NULL;
CREATE INDEX refund_look ON refund (next_look_at) WHERE next_look_at IS NOT NULL;
CREATE INDEX refund_parked ON refund (refund_id) WHERE parked_reason IS NOT NULL;

-- What a refund takes back of each part of a sub-order.
CREATE TABLE refund_part (
  refund_id uuid NOT NULL REFERENCES refund,
  sub_order_id uuid NOT NULL,
  seller_minor bigint NOT NULL CHECK (seller_minor >= 0),
  commission_minor bigint NOT NULL CHECK (commission_minor >= 0),
  commission_tax_minor bigint NOT NULL CHECK (commission_tax_minor >= 0),
  platform_tax_minor bigint NOT NULL CHECK (platform_tax_minor >= 0),
  PRIMARY KEY (refund_id, sub_order_id)
);

-- Every call that changes something at the provider, written before it is made. The subject is the
-- payment, or the refund; the key the provider gets is '<subject>:<step>:<n>'.
CREATE TABLE provider_attempt (
  subject_id uuid NOT NULL,
  step text NOT NULL CHECK (step IN ('open', 'confirm', 'capture', 'cancel', 'refund')),
  n integer NOT NULL CHECK (n >= 1),
  payment_id uuid NOT NULL REFERENCES payment,
  -- The request as it is sent, without the payment method token, which stays sealed in the payment.
  request bytea NOT NULL,
  fence bigint NOT NULL,
  sends integer NOT NULL DEFAULT 1,
  first_sent_at timestamptz NOT NULL DEFAULT now(),
  last_sent_at timestamptz NOT NULL DEFAULT now(),
  outcome text NOT NULL DEFAULT 'in_flight' CHECK (outcome IN (
    'in_flight', 'not_sent', 'unknown', 'kept_error', 'known', 'refused')),
  -- What was heard, for people: a state or a refusal's code.
  heard text CHECK (length(heard) <= 200),
  heard_at timestamptz,
  PRIMARY KEY (subject_id, step, n)
);

CREATE INDEX provider_attempt_payment ON provider_attempt (payment_id);

-- Every move of a state, written with it.
CREATE TABLE payment_transition (
  payment_id uuid NOT NULL,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor text NOT NULL CHECK (actor IN ('SERVICE', 'OPERATOR', 'CLOCK', 'PROVIDER')),
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (payment_id, version)
);

CREATE TABLE refund_transition (
  refund_id uuid NOT NULL,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor text NOT NULL CHECK (actor IN ('SERVICE', 'OPERATOR', 'CLOCK', 'PROVIDER')),
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (refund_id, version)
);

-- Events of providers, each once. They are hints to look an object up; their bodies are not kept.
CREATE TABLE webhook_inbox (
  inbox_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  provider text NOT NULL,
  account text NOT NULL,
  event_id text NOT NULL,
  type text NOT NULL,
  object_kind text NOT NULL CHECK (object_kind IN ('intent', 'refund')),
  object_id text NOT NULL,
  source text NOT NULL CHECK (source IN ('webhook', 'list')),
  state text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'APPLIED', 'PARKED')),
  tries integer NOT NULL DEFAULT 0,
  received_at timestamptz NOT NULL DEFAULT now(),
  next_try_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT webhook_inbox_event UNIQUE (provider, account, event_id)
);

CREATE INDEX webhook_inbox_waiting ON webhook_inbox (next_try_at) WHERE state = 'WAITING';
CREATE INDEX webhook_inbox_done ON webhook_inbox (received_at) WHERE state = 'APPLIED';

-- How far a provider's list of events has been read.
CREATE TABLE provider_cursor (
  provider text PRIMARY KEY,
  cursor text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- The ledger. Accounts of sellers have an owner, those of the platform have none.
CREATE TABLE account (
  account_id uuid PRIMARY KEY,
  kind text NOT NULL,
  seller_id uuid,
  currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT account_identity UNIQUE NULLS NOT DISTINCT (kind, seller_id, currency),
  CONSTRAINT account_owner CHECK ((kind LIKE 'SELLER%') = (seller_id IS NOT NULL))
);

CREATE INDEX account_seller ON account (seller_id) WHERE seller_id IS NOT NULL;

-- An entry records one fact. Kind, cause and sub-order name it, so that no fact is booked twice.
CREATE TABLE entry (
  entry_id uuid PRIMARY KEY,
  kind text NOT NULL,
  cause_id uuid NOT NULL,
  sub_order_id uuid,
  payment_id uuid NOT NULL,
  order_id uuid NOT NULL,
  currency text NOT NULL,
  content_sha256 bytea NOT NULL CHECK (octet_length(content_sha256) = 32),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT entry_fact UNIQUE NULLS NOT DISTINCT (kind, cause_id, sub_order_id)
);

CREATE INDEX entry_payment ON entry (payment_id, entry_id);

-- Debit positive, credit negative. No foreign key points at account: it would lock the hottest
-- rows; the trigger below checks the account instead.
CREATE TABLE posting (
  entry_id uuid NOT NULL REFERENCES entry,
  leg smallint NOT NULL CHECK (leg >= 1),
  account_id uuid NOT NULL,
  minor bigint NOT NULL CHECK (minor <> 0),
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  PRIMARY KEY (entry_id, leg)
);

CREATE INDEX posting_account_xid ON posting (account_id, xid);
CREATE INDEX posting_account_entry ON posting (account_id, entry_id);

-- How far postings are summed up: folded is the sum of those with xid < upto. A debit of a seller's
-- account locks its row; nobody else waits for it.
CREATE TABLE guard (
  account_id uuid PRIMARY KEY,
  folded bigint NOT NULL DEFAULT 0,
  upto xid8 NOT NULL DEFAULT '0'
);

-- I1: the legs that one statement adds to an entry are all of it, in its currency, and sum to 0.
CREATE FUNCTION check_postings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM new_posting n
      LEFT JOIN entry e ON e.entry_id = n.entry_id
      LEFT JOIN account a ON a.account_id = n.account_id
    GROUP BY n.entry_id
    HAVING sum(n.minor) <> 0 OR count(*) < 2
      OR count(*) <> count(*) FILTER (WHERE a.currency = e.currency)
  ) THEN
    RAISE EXCEPTION 'an entry has at least two legs of its currency that sum to zero'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_balanced';
  END IF;
  IF EXISTS (
    SELECT 1 FROM posting p
    WHERE p.entry_id IN (SELECT n.entry_id FROM new_posting n)
    GROUP BY p.entry_id
    HAVING count(*) <> (SELECT count(*) FROM new_posting n WHERE n.entry_id = p.entry_id)
  ) THEN
    RAISE EXCEPTION 'a leg cannot be added to an entry that has its legs'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_whole';
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER posting_balanced AFTER INSERT ON posting
  REFERENCING NEW TABLE AS new_posting FOR EACH STATEMENT EXECUTE FUNCTION check_postings();

-- I1: no entry stays without legs.
CREATE FUNCTION check_entry_has_legs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM posting WHERE entry_id = NEW.entry_id) THEN
    RAISE EXCEPTION 'an entry has legs'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_has_legs';
  END IF;
  RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER entry_has_legs AFTER INSERT ON entry
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_entry_has_legs();

-- History and books are written once: not even the owner changes or empties them by mistake.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'check_violation', CONSTRAINT = 'append_only';
END
$$;

CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON posting
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER account_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_split_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_split
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_transition_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
  ON payment_transition FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER refund_transition_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
  ON refund_transition FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

REVOKE UPDATE, DELETE, TRUNCATE ON entry, posting, account, payment_split, refund_part,
  payment_transition, refund_transition FROM holdfast_payment_app;
REVOKE DELETE, TRUNCATE ON payment, refund, provider_attempt, provider_cursor, guard
  FROM holdfast_payment_app;

-- Whoever only looks does not see sealed values.
REVOKE SELECT ON payment FROM holdfast_payment_read;
GRANT SELECT (
  payment_id, order_id, buyer_id, state, version, currency, amount_minor, captured_minor,
  refunded_minor, provider, intent_id, action_expires_at, capture_before, decline_reason,
  parked_reason, state_since, fence, lease_until, next_look_at, look_count, created_at, updated_at
) ON payment TO holdfast_payment_read;
