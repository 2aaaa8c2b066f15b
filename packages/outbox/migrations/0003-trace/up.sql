-- kind: expand
-- The trace of the transaction that told this, in W3C form; NULL when it was not traced. Lost with
-- the row: what is published again later belongs to no trace.
ALTER TABLE outbox_message ADD COLUMN traceparent text;
