-- kind: expand
-- People known by email. `email_folded` is what makes two spellings of one address equal.
CREATE TABLE account (
  account_id uuid PRIMARY KEY,
  email text NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
  email_folded text NOT NULL CHECK (length(email_folded) BETWEEN 3 AND 1024),
  display_name text NOT NULL CHECK (length(display_name) <= 100),
  password_hash text NOT NULL CHECK (length(password_hash) <= 255),
  is_operator boolean NOT NULL DEFAULT false,
  -- Tokens of a lower generation are dead: one number ends every session of the account.
  generation integer NOT NULL DEFAULT 1 CHECK (generation >= 1),
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT account_email_folded UNIQUE (email_folded)
) WITH (fillfactor = 90);

CREATE INDEX account_operator ON account (account_id) WHERE is_operator;

-- Which seller an account may act for.
CREATE TABLE membership (
  account_id uuid NOT NULL REFERENCES account (account_id),
  seller_id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('OWNER', 'MANAGER', 'VIEWER')),
  version bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT membership_pkey PRIMARY KEY (account_id, seller_id)
);

-- One row per session, changed in its page at each refresh: no index may name a column that a
-- refresh changes, or every refresh would write each index too.
CREATE TABLE session (
  session_id uuid PRIMARY KEY,
  account_id uuid REFERENCES account (account_id),
  guest_id uuid,
  audience text NOT NULL CHECK (audience IN ('BUYER', 'SELLER', 'OPERATOR')),
  seller_id uuid,
  state text NOT NULL DEFAULT 'ACTIVE' CHECK (state IN ('ACTIVE', 'ENDED')),
  end_cause text CHECK (
    end_cause IN ('LOGGED_OUT', 'REVOKED', 'EXPIRED', 'TOKEN_REUSED', 'UPGRADED')),
  version bigint NOT NULL DEFAULT 1,
  -- The newest refresh token's number; its text is recomputed from here and never stored.
  generation integer NOT NULL DEFAULT 1 CHECK (generation >= 1),
  salt bytea NOT NULL CHECK (octet_length(salt) = 16),
  secret_version integer NOT NULL,
  issued_at timestamptz NOT NULL DEFAULT now(),
  -- The account's generation that this session's tokens carry; 0 for a guest.
  account_generation integer NOT NULL,
  -- The request that made the newest generation, so that its request id cannot mean another one.
  request_hash bytea,
  content_hash bytea,
  device_name text NOT NULL CHECK (length(device_name) <= 100),
  created_at timestamptz NOT NULL DEFAULT now(),
  refreshed_at timestamptz NOT NULL DEFAULT now(),
  idle_expires_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  ended_at timestamptz,
  CONSTRAINT session_has_owner CHECK (account_id IS NOT NULL OR guest_id IS NOT NULL),
  CONSTRAINT session_guest_buys CHECK (account_id IS NOT NULL OR audience = 'BUYER'),
  CONSTRAINT session_seller CHECK ((audience = 'SELLER') = (seller_id IS NOT NULL)),
  CONSTRAINT session_end CHECK (
    (state = 'ENDED') = (ended_at IS NOT NULL) AND (state = 'ENDED') = (end_cause IS NOT NULL))
) WITH (fillfactor = 60);

CREATE INDEX session_active_account ON session (account_id)
  WHERE state = 'ACTIVE' AND account_id IS NOT NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE state = 'ENDED';

-- Every move of a session's state, written with it. The start is the move from nothing.
CREATE TABLE session_transition (
  session_id uuid NOT NULL,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  reason text NOT NULL,
  actor text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session_id, version)
);

-- Which account a guest became: once, and for good.
CREATE TABLE guest_link (
  guest_id uuid PRIMARY KEY,
  account_id uuid NOT NULL REFERENCES account (account_id),
  linked_at timestamptz NOT NULL DEFAULT now()
);

-- What processes are told to refuse. The transaction's own number is the order: a reader that has
-- seen everything below the oldest running transaction can miss nothing that commits late.
CREATE TABLE revocation (
  revocation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  session_id uuid,
  account_id uuid,
  generation_min integer,
  revoked_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT revocation_subject CHECK (
    (session_id IS NOT NULL AND account_id IS NULL AND generation_min IS NULL)
    OR (session_id IS NULL AND account_id IS NOT NULL AND generation_min IS NOT NULL))
);

CREATE INDEX revocation_order ON revocation (xid, revocation_id);
CREATE INDEX revocation_time ON revocation (revoked_at);

-- Attempts to prove a password, by hash of the folded email, known or not.
CREATE TABLE attempt (
  subject bytea PRIMARY KEY CHECK (octet_length(subject) = 32),
  failures integer NOT NULL,
  day_failures integer NOT NULL,
  day_started_at timestamptz NOT NULL,
  blocked_until timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX attempt_day ON attempt (day_started_at);

-- What a person must be able to look up later: who gave which power, and what looked like theft.
CREATE TABLE audit (
  audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  actor text NOT NULL,
  account_id uuid,
  session_id uuid,
  detail text NOT NULL CHECK (length(detail) <= 500),
  at timestamptz NOT NULL DEFAULT now()
);

-- Row of the round trip that proves the store works.
CREATE TABLE canary (
  canary_id uuid PRIMARY KEY,
  value uuid NOT NULL
);

-- History is written once: the serving role can neither change nor delete it.
REVOKE UPDATE, DELETE ON session_transition, guest_link, revocation, audit
  FROM holdfast_session_app;
REVOKE DELETE ON account, membership, session FROM holdfast_session_app;

-- Whoever looks sees who did what, and nothing that proves anything.
REVOKE SELECT ON account, session, attempt, canary FROM holdfast_session_read;
GRANT SELECT (account_id, display_name, is_operator, generation, version, created_at, updated_at)
  ON account TO holdfast_session_read;
GRANT SELECT (session_id, account_id, guest_id, audience, seller_id, state, end_cause, version,
  generation, issued_at, account_generation, created_at, refreshed_at, idle_expires_at, expires_at,
  ended_at) ON session TO holdfast_session_read;

-- Nothing that is past its use is kept, and nothing else can be deleted: these functions alone
-- delete, as their owner, and choose the rows themselves.
CREATE FUNCTION purge_revocations(rows_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH purged AS (
    DELETE FROM revocation WHERE revocation_id IN (
      SELECT revocation_id FROM revocation WHERE revoked_at < now() - interval '1 hour'
      ORDER BY revoked_at LIMIT rows_max)
    RETURNING revocation_id)
  SELECT count(*) FROM purged
$$;

CREATE FUNCTION purge_sessions(rows_max integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH purged AS (
    DELETE FROM session WHERE session_id IN (
      SELECT session_id FROM session
      WHERE state = 'ENDED' AND ended_at < now() - interval '30 days'
      ORDER BY ended_at LIMIT rows_max)
    RETURNING session_id),
  moves AS (
    DELETE FROM session_transition WHERE session_id IN (SELECT session_id FROM purged)
    RETURNING session_id)
  SELECT count(*) FROM purged
$$;

REVOKE EXECUTE ON FUNCTION purge_revocations(integer), purge_sessions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_revocations(integer), purge_sessions(integer)
  TO holdfast_session_app, holdfast_session_purge;
