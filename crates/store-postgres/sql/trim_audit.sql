-- Removes the oldest audit entries beyond the newest $1, $2 at most. Two who trim at once do not wait for each other.
DELETE FROM {schema}.audit
WHERE number IN (
    SELECT number FROM {schema}.audit
    WHERE number <= (SELECT max(number) FROM {schema}.audit) - $1::bigint
    ORDER BY number
    LIMIT $2
    FOR UPDATE SKIP LOCKED
)
