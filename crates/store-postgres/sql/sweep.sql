-- Removes rows that have expired by $1, and results whose retention has ended, $3 rows at most, from due time $2 on.
--
-- Races that this closes: a claim may renew an expired row while it is being removed. What is locked here is judged again
-- as it then stands, and the removal compares once more. A row that somebody else holds is left for the next time, so
-- that no claim waits for a sweep longer than for its own few rows, and no sweep waits for a claim.
--
-- It begins at $2, the due time up to which this process has swept: entries of removed rows stay in the index until the
-- next vacuum, and each sweep would go through all of them again.
--
-- A sweep is many of these, and the server's clock may be set back between two: what others keep until a time by the new one has
-- not expired, whatever $1 says.
WITH upto AS MATERIALIZED (
    SELECT least(to_timestamp($1::bigint / 1000.0::float8), clock_timestamp()) AS at
),
due AS MATERIALIZED (
    SELECT id, due_at, expires_at <= (SELECT at FROM upto) AS expired
    FROM {schema}.records
    WHERE due_at <= (SELECT at FROM upto) AND due_at >= to_timestamp($2::bigint / 1000.0::float8)
    ORDER BY due_at
    LIMIT $3
    FOR UPDATE SKIP LOCKED
),
removed AS (
    DELETE FROM {schema}.records AS r
    USING due
    WHERE r.id = due.id AND due.expired AND r.expires_at <= (SELECT at FROM upto)
    RETURNING r.id
),
emptied AS (
    UPDATE {schema}.records AS r
    SET result = NULL, due_at = r.expires_at
    FROM due
    WHERE r.id = due.id AND NOT due.expired AND r.due_at <= (SELECT at FROM upto)
    RETURNING r.id
)
SELECT
    (SELECT count(*) FROM due) AS due,
    (SELECT count(*) FROM removed) AS removed,
    (SELECT count(*) FROM emptied) AS emptied,
    (SELECT (extract(epoch FROM max(due_at)) * 1000)::bigint FROM due) AS last_ms
