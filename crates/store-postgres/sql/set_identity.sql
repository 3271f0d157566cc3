-- Replaces the identity if it is still $1; NULL: if there is none. Of two who make one at once, the second waits for the
-- first and then changes nothing.
WITH inserted AS (
    INSERT INTO {schema}.identity (identity)
    SELECT $2::bytea WHERE $1::bytea IS NULL
    ON CONFLICT (one) DO NOTHING
    RETURNING 1
),
updated AS (
    UPDATE {schema}.identity SET identity = $2::bytea WHERE identity = $1::bytea RETURNING 1
)
SELECT EXISTS (SELECT FROM inserted) OR EXISTS (SELECT FROM updated) AS replaced
