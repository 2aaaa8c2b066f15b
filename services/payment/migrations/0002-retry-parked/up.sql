-- kind: expand
-- How often an operator had it looked at again, each time with one key more for the provider, and
-- when last: a refusal from before then does not stand in the way any more.
ALTER TABLE payment
  ADD COLUMN retry_count integer NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
  ADD COLUMN retried_at timestamptz;
ALTER TABLE refund
  ADD COLUMN retry_count integer NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
  ADD COLUMN retried_at timestamptz;
GRANT SELECT (retry_count, retried_at) ON payment TO holdfast_payment_read;

-- The audit of operators who had parked money looked at again, written with the change. The
-- subject is the payment or the refund; the version is the one that the retry made.
CREATE TABLE parked_retry (
  subject_id uuid NOT NULL,
  version bigint NOT NULL,
  payment_id uuid NOT NULL REFERENCES payment,
  -- As it was parked.
  state text NOT NULL,
  parked_reason text NOT NULL,
  actor text NOT NULL CHECK (length(actor) <= 100),
  why text NOT NULL CHECK (length(why) BETWEEN 1 AND 1000),
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (subject_id, version)
);

CREATE INDEX parked_retry_payment ON parked_retry (payment_id);

CREATE TRIGGER parked_retry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON parked_retry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON parked_retry FROM holdfast_payment_app;
