-- Applies each command of a batch on its own. Answers with a row for each that was applied, without a head, and with what
-- stands for each that was not.
--
-- Races that this closes:
--
-- * Two writers of one row. The update waits for the other one's commit, looks at the row that then stands, and compares
--   again: `attempt` and `revision` are compared with what is there, not with what was there when the statement began.
--
-- * Two batches with the same ids in another order. The commands come sorted by id, and rows are locked in that order.
--
-- * A row that another session has inserted and not committed. The insert waits for its end and then does nothing, but
--   this statement's snapshot is older and does not show the row. A command that inserts, was not applied and has nothing
--   standing therefore has *no answer*: whoever asked looks again, in a new snapshot. It never reads as absent.
--
-- * A commit whose wait for the synchronous standby was broken off. It can be seen, and a fail-over would lose it. What
--   stands is read with a lock, which is written to the log: our own commit waits until the standby has that, and
--   with it all that was committed before.
--
-- * A row that a foreign session holds. No lock is waited for longer than $1; then nothing of the batch is applied.
WITH limits AS MATERIALIZED (
    SELECT set_config('lock_timeout', $1::text, true)
),
given AS MATERIALIZED (
    SELECT c.*
    FROM limits, unnest(
        $2::bytea[], $3::bytea[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bytea[], $8::boolean[],
        $9::bigint[], $10::bigint[],
        $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bytea[], $16::smallint[], $17::text[],
        $18::boolean[], $19::bytea[], $20::bytea[]
    ) AS c (
        id, expect_attempt, expect_revision, attempt, revision, head, open,
        expires_ms, result_until_ms,
        state, fence, lease_until_ms, first_claim_ms, fingerprint, status, route,
        keep_result, result, note
    )
),
command AS MATERIALIZED (
    SELECT
        id, expect_attempt, expect_revision, attempt, revision, head, open, state, fence, fingerprint, status,
        route, keep_result, result, note,
        to_timestamp(expires_ms / 1000.0::float8) AS expires_at,
        to_timestamp(least(result_until_ms, expires_ms) / 1000.0::float8) AS due_at,
        to_timestamp(lease_until_ms / 1000.0::float8) AS lease_until,
        to_timestamp(first_claim_ms / 1000.0::float8) AS first_claim_at
    FROM given
),
updated AS (
    UPDATE {schema}.records AS r
    SET attempt = c.attempt, revision = c.revision, head = c.head, open = c.open, expires_at = c.expires_at,
        due_at = c.due_at, state = c.state, fence = c.fence, lease_until = c.lease_until,
        first_claim_at = c.first_claim_at, fingerprint = c.fingerprint, status = c.status, route = c.route,
        result = CASE WHEN c.keep_result THEN r.result ELSE c.result END
    FROM command AS c
    WHERE r.id = c.id AND r.attempt = c.expect_attempt AND r.revision = c.expect_revision
    RETURNING r.id
),
inserted AS (
    INSERT INTO {schema}.records (
        id, attempt, revision, head, open, expires_at, due_at, state, fence, lease_until, first_claim_at, fingerprint,
        status, route, result
    )
    SELECT
        id, attempt, revision, head, open, expires_at, due_at, state, fence, lease_until, first_claim_at, fingerprint,
        status, route, result
    FROM command
    WHERE expect_attempt IS NULL
    ON CONFLICT (id) DO NOTHING
    RETURNING id
),
applied AS MATERIALIZED (
    SELECT id FROM updated
    UNION ALL
    SELECT id FROM inserted
),
noted AS (
    INSERT INTO {schema}.audit (entry)
    SELECT note FROM command WHERE note IS NOT NULL AND id = ANY (ARRAY(SELECT id FROM applied))
),
standing AS MATERIALIZED (
    SELECT r.id, r.head
    FROM {schema}.records AS r
    WHERE r.id IN (SELECT id FROM command WHERE id NOT IN (SELECT id FROM applied))
    ORDER BY r.id
    FOR KEY SHARE OF r
)
SELECT id, NULL::bytea AS head, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server_ms FROM applied
UNION ALL
SELECT id, head, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server_ms FROM standing
