-- kind: expand
-- One data key per subject, readable only through the key that wraps it. Deleting the row makes
-- what was sealed for the subject unreadable for good.
CREATE TABLE vault_data_key (
  subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
  wrapped_key bytea NOT NULL,
  key_version integer NOT NULL CHECK (key_version >= 1),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT vault_data_key_pkey PRIMARY KEY (subject)
);

-- Who opened what, why and under which key: written with each opening, and never changed (I24).
CREATE TABLE vault_opening (
  opening_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  subject text NOT NULL,
  table_name text NOT NULL,
  column_name text NOT NULL,
  row_id text NOT NULL,
  actor text NOT NULL CHECK (length(actor) BETWEEN 1 AND 128),
  purpose text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 128),
  key_version integer NOT NULL,
  opened_at timestamptz NOT NULL DEFAULT now()
);

-- The role names differ per service; the owner runs this and the app role is its sibling.
DO $$
DECLARE app_role text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
  EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON vault_opening FROM %I', app_role);
  EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON vault_data_key FROM %I', app_role);
END
$$;
