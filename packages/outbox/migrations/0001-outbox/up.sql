-- kind: expand
-- What happened and is still to be told: committed with the effect, deleted after it was published.
CREATE TABLE outbox_message (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mode text NOT NULL CHECK (mode IN ('state', 'fact')),
  subject text NOT NULL,
  -- state: of what this is the newest state, and which version; a later version replaces this one.
  key text,
  version bigint,
  -- fact: names the fact for consumers, so that a repeat has no effect.
  event_id uuid,
  payload bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT outbox_message_mode CHECK (
    (mode = 'state' AND key IS NOT NULL AND version IS NOT NULL AND event_id IS NULL)
    OR (mode = 'fact' AND key IS NULL AND version IS NULL AND event_id IS NOT NULL)
  )
);
