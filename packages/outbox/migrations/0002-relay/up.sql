-- kind: expand
-- Which process relays a feed, by the database's clock. A holder that stopped is replaced after the
-- lease ends; one that only slept is refused by the stream's expected sequence.
CREATE TABLE outbox_lease (
  feed text NOT NULL,
  holder uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  CONSTRAINT outbox_lease_pkey PRIMARY KEY (feed)
);

-- What the relay knows of its stream: another creation time or a lower last sequence means that the
-- stream was lost, and everything is published again.
CREATE TABLE outbox_feed (
  feed text NOT NULL,
  epoch bigint NOT NULL CHECK (epoch >= 1),
  stream_created_at text NOT NULL,
  last_sequence bigint NOT NULL CHECK (last_sequence >= 0),
  -- How far publishing everything again has come: a key or seq, '' at its start, NULL when done.
  resend_after text,
  CONSTRAINT outbox_feed_pkey PRIMARY KEY (feed)
);

-- Messages that can never be published; an operator looks at them, the others pass.
CREATE TABLE outbox_parked (
  seq bigint NOT NULL,
  mode text NOT NULL,
  subject text NOT NULL,
  key text,
  version bigint,
  event_id uuid,
  payload bytea NOT NULL,
  created_at timestamptz NOT NULL,
  reason text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT outbox_parked_pkey PRIMARY KEY (seq)
);

-- Facts that were published, kept as long as the stream keeps them, to fill a lost stream again.
CREATE TABLE outbox_fact_log (
  seq bigint NOT NULL,
  subject text NOT NULL,
  event_id uuid NOT NULL,
  payload bytea NOT NULL,
  created_at timestamptz NOT NULL,
  published_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT outbox_fact_log_pkey PRIMARY KEY (seq)
);

CREATE INDEX outbox_fact_log_published_at ON outbox_fact_log (published_at);

-- Facts of others that this service has applied: a second delivery finds its row here.
CREATE TABLE inbox_message (
  consumer text NOT NULL,
  event_id uuid NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT inbox_message_pkey PRIMARY KEY (consumer, event_id)
);

CREATE INDEX inbox_message_applied_at ON inbox_message (applied_at);

-- Facts of others that could not be applied; an operator looks at them, the others pass.
CREATE TABLE inbox_parked (
  parked_id bigint GENERATED ALWAYS AS IDENTITY,
  consumer text NOT NULL,
  event_id text NOT NULL,
  subject text NOT NULL,
  payload bytea NOT NULL,
  reason text NOT NULL,
  parked_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT inbox_parked_pkey PRIMARY KEY (parked_id),
  CONSTRAINT inbox_parked_event UNIQUE (consumer, event_id)
);
