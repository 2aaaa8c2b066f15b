-- kind: expand
-- What a policy asks of sellers: data, so that a new policy is rows and not code. country_code ''
-- is every country; a row of the seller's own country goes before it.
CREATE TABLE requirement_def (
  policy_version integer NOT NULL CHECK (policy_version >= 1),
  key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_]{0,63}$'),
  country_code text NOT NULL CHECK (country_code ~ '^([A-Z]{2})?$'),
  family text NOT NULL CHECK (family IN ('COMPUTED', 'ATTESTED', 'DOCUMENT', 'PROVIDER')),
  fields jsonb NOT NULL,
  blocks text[] NOT NULL CHECK (blocks <@ ARRAY['SELLING', 'PAYOUTS']),
  due_after interval,
  renew_after interval,
  PRIMARY KEY (policy_version, key, country_code)
);

CREATE TABLE seller (
  seller_id uuid PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('APPLIED', 'IN_REVIEW', 'INFO_NEEDED', 'ACTIVE', 'REJECTED',
    'SUSPENDED', 'CLOSING', 'CLOSED')),
  version bigint NOT NULL,
  display_name text NOT NULL CHECK (length(display_name) BETWEEN 1 AND 100),
  legal_name text NOT NULL CHECK (length(legal_name) BETWEEN 1 AND 200),
  -- The legal name without case and spacing: two spellings of one name are one application.
  legal_name_key text NOT NULL,
  country_code text NOT NULL CHECK (country_code ~ '^[A-Z]{2}$'),
  currency_code text NOT NULL CHECK (currency_code ~ '^[A-Z]{3}$'),
  applicant_account_id uuid NOT NULL,
  commission_basis_points integer NOT NULL CHECK (commission_basis_points BETWEEN 0 AND 10000),
  -- A capability is on while its list is empty; the lists are part of what the version counts.
  selling_blocked_by text[] NOT NULL,
  payouts_blocked_by text[] NOT NULL,
  state_reason text NOT NULL,
  state_since timestamptz NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX seller_open_application ON seller (applicant_account_id, legal_name_key)
  WHERE state NOT IN ('REJECTED', 'CLOSED');

-- Every move of a seller's state, written with it.
CREATE TABLE seller_transition (
  seller_id uuid NOT NULL REFERENCES seller,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor_kind text NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (seller_id, version)
);

CREATE TABLE requirement (
  requirement_id uuid PRIMARY KEY,
  seller_id uuid NOT NULL REFERENCES seller,
  policy_version integer NOT NULL,
  key text NOT NULL,
  def_country_code text NOT NULL,
  state text NOT NULL CHECK (state IN ('REQUIRED', 'SUBMITTED', 'VERIFIED', 'REJECTED', 'EXPIRED',
    'WAIVED')),
  version bigint NOT NULL,
  review_reason text NOT NULL,
  -- From when it blocks while not met; at once when null.
  due_at timestamptz,
  -- When the acceptance or the waiver ends; never when null.
  expires_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT requirement_seller_key UNIQUE (seller_id, key),
  FOREIGN KEY (policy_version, key, def_country_code) REFERENCES requirement_def
);

CREATE TABLE requirement_transition (
  requirement_id uuid NOT NULL REFERENCES requirement,
  version bigint NOT NULL,
  from_state text,
  to_state text NOT NULL,
  actor_kind text NOT NULL,
  actor text NOT NULL,
  reason text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (requirement_id, version)
);

-- What was submitted, sealed under the seller's own data key; each submission is kept.
CREATE TABLE requirement_submission (
  requirement_id uuid NOT NULL REFERENCES requirement,
  version bigint NOT NULL,
  answers_sealed bytea NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (requirement_id, version)
);

CREATE TABLE shipping_profile (
  shipping_profile_id uuid PRIMARY KEY,
  seller_id uuid NOT NULL REFERENCES seller,
  version bigint NOT NULL,
  name text NOT NULL,
  options jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT shipping_profile_of_seller UNIQUE (shipping_profile_id, seller_id)
);

CREATE TABLE offer (
  offer_id uuid PRIMARY KEY,
  seller_id uuid NOT NULL REFERENCES seller,
  state text NOT NULL CHECK (state IN ('ACTIVE', 'RETIRED')),
  version bigint NOT NULL,
  sku text NOT NULL CHECK (length(sku) BETWEEN 1 AND 64),
  item_id uuid NOT NULL,
  product_ref text NOT NULL,
  title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
  currency_code text NOT NULL,
  price_minor bigint NOT NULL CHECK (price_minor BETWEEN 1 AND 1000000000000000),
  tax_category text NOT NULL CHECK (tax_category IN ('STANDARD', 'REDUCED', 'ZERO')),
  shipping_profile_id uuid NOT NULL,
  -- Lowest price of the 30 days before the last change of the price; null before there was one.
  lowest_minor bigint,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  CONSTRAINT offer_seller_sku UNIQUE (seller_id, sku),
  CONSTRAINT offer_shipping_profile FOREIGN KEY (shipping_profile_id, seller_id)
    REFERENCES shipping_profile (shipping_profile_id, seller_id)
);

CREATE INDEX offer_of_seller ON offer (seller_id, offer_id);

-- Every price an offer ever had, from when on.
CREATE TABLE price_history (
  offer_id uuid NOT NULL REFERENCES offer,
  version bigint NOT NULL,
  currency_code text NOT NULL,
  minor bigint NOT NULL CHECK (minor >= 1),
  at timestamptz NOT NULL,
  PRIMARY KEY (offer_id, version)
);

-- A copy of inventory's levels, kept by the stock feed; it can be wiped and heals.
CREATE TABLE stock_view (
  item_id uuid PRIMARY KEY,
  seller_id uuid NOT NULL,
  sku text NOT NULL,
  location text NOT NULL,
  on_hand integer NOT NULL,
  reserved integer NOT NULL,
  version bigint NOT NULL,
  removed boolean NOT NULL,
  committed_at timestamptz NOT NULL,
  applied_at timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX stock_view_of_seller ON stock_view (seller_id, item_id);

-- How far the copy is complete, in inventory's time, and when it was so, in this database's: one
-- row.
CREATE TABLE stock_feed (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  complete_through timestamptz NOT NULL,
  fresh_at timestamptz NOT NULL
);

-- The applicant becomes the owner: asked of the session service until it says yes.
CREATE TABLE membership_grant (
  seller_id uuid PRIMARY KEY REFERENCES seller,
  account_id uuid NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL DEFAULT now(),
  granted_at timestamptz
);

CREATE INDEX membership_grant_due ON membership_grant (next_attempt_at) WHERE granted_at IS NULL;

-- The seller's workflow is to look at the rows again, from due_at on. `serial` rises with each
-- reason to look, so that a signal in flight does not swallow the next one.
CREATE TABLE onboarding_signal (
  seller_id uuid PRIMARY KEY REFERENCES seller,
  signal text NOT NULL CHECK (signal IN ('submitted', 'reviewed', 'decided')),
  serial bigint NOT NULL,
  due_at timestamptz NOT NULL
);

CREATE INDEX onboarding_signal_due ON onboarding_signal (due_at);

-- Reminders that were given; the next one counts from the last.
CREATE TABLE reminder (
  seller_id uuid NOT NULL REFERENCES seller,
  kind text NOT NULL CHECK (kind IN ('remind-seller', 'remind-reviewer')),
  due_at timestamptz NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (seller_id, kind, due_at)
);

INSERT INTO requirement_def
  (policy_version, key, country_code, family, fields, blocks, due_after, renew_after) VALUES
  (1, 'legal_entity', '', 'ATTESTED', '[
     {"name": "registered_name", "description": "Name in the register, as in law",
      "mandatory": true, "length_max": 200},
     {"name": "registration_number", "description": "Number in the register; empty for a person",
      "mandatory": false, "length_max": 64},
     {"name": "registered_address", "description": "Address in the register", "mandatory": true,
      "length_max": 500}]', '{SELLING,PAYOUTS}', NULL, NULL),
  (1, 'tax_identity', '', 'ATTESTED', '[
     {"name": "tax_id", "description": "Tax or VAT number of the country of establishment",
      "mandatory": true, "length_max": 32}]', '{SELLING,PAYOUTS}', NULL, NULL),
  (1, 'terms_accepted', '', 'ATTESTED', '[
     {"name": "accepted_by", "description": "Name of the person who accepts the terms of sale",
      "mandatory": true, "length_max": 200},
     {"name": "terms_version", "description": "Version of the terms that is accepted",
      "mandatory": true, "length_max": 32}]', '{SELLING}', NULL, NULL),
  (1, 'payout_account', '', 'ATTESTED', '[
     {"name": "account_holder", "description": "Holder of the bank account, as the bank has it",
      "mandatory": true, "length_max": 200}]', '{PAYOUTS}', NULL, '365 days');

-- History is written once, and policies come with migrations: the serving role changes neither.
REVOKE UPDATE, DELETE, TRUNCATE ON seller_transition, requirement_transition,
  requirement_submission, price_history, reminder FROM holdfast_seller_app;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON requirement_def FROM holdfast_seller_app;
REVOKE DELETE, TRUNCATE ON seller, requirement, offer, shipping_profile, membership_grant
  FROM holdfast_seller_app;

-- Whoever only looks does not see sealed values.
REVOKE SELECT ON requirement_submission FROM holdfast_seller_read;
GRANT SELECT (requirement_id, version, at) ON requirement_submission TO holdfast_seller_read;
