-- kind: expand
-- A quote that nobody ordered is kept as long as its request may be repeated, then deleted with its
-- sealed address; one that was ordered is the price of that order and stays.
CREATE INDEX purchase_quote ON purchase (quote_id);

-- Nobody else can delete quotes: this function alone does, as its owner, and chooses them itself.
-- It looks at no more than rows_max of those past their time, on from a place in their order, and
-- answers the last one it looked at. What it passes was ordered and never becomes due again.
CREATE FUNCTION purge_quotes(after_at timestamptz, after_id uuid, rows_max integer)
RETURNS TABLE (seen bigint, purged bigint, last_at timestamptz, last_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH page AS (
    SELECT quote_id, expires_at FROM quote
    WHERE expires_at < now() - interval '3 days'
      AND (expires_at, quote_id) > (after_at, after_id)
    ORDER BY expires_at, quote_id LIMIT rows_max
  ), gone AS (
    DELETE FROM quote q USING page
    WHERE q.quote_id = page.quote_id
      AND NOT EXISTS (SELECT 1 FROM purchase p WHERE p.quote_id = q.quote_id)
    RETURNING q.quote_id
  ), last AS (
    SELECT expires_at, quote_id FROM page ORDER BY expires_at DESC, quote_id DESC LIMIT 1
  )
  SELECT (SELECT count(*) FROM page), (SELECT count(*) FROM gone),
    (SELECT expires_at FROM last), (SELECT quote_id FROM last)
$$;

REVOKE EXECUTE ON FUNCTION purge_quotes(timestamptz, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION purge_quotes(timestamptz, uuid, integer)
  TO holdfast_checkout_app, holdfast_checkout_purge;
