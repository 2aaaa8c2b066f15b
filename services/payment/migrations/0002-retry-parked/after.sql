-- Nothing was retried yet.
SELECT payment_id FROM payment WHERE retry_count <> 0 OR retried_at IS NOT NULL;
SELECT refund_id FROM refund WHERE retry_count <> 0 OR retried_at IS NOT NULL;
