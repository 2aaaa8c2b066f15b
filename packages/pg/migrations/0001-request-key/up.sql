-- kind: expand
-- What was answered to which request: committed with the effect it answers for.
CREATE TABLE request_key (
  key bytea NOT NULL CHECK (octet_length(key) = 32),
  method text NOT NULL,
  request_hash bytea NOT NULL CHECK (octet_length(request_hash) = 32),
  answer bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  CONSTRAINT request_key_pkey PRIMARY KEY (key)
) PARTITION BY HASH (key);

CREATE TABLE request_key_0 PARTITION OF request_key FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE request_key_1 PARTITION OF request_key FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE request_key_2 PARTITION OF request_key FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE request_key_3 PARTITION OF request_key FOR VALUES WITH (MODULUS 4, REMAINDER 3);

CREATE INDEX request_key_expires_at ON request_key (expires_at);
