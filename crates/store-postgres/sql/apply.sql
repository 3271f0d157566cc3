-- Applies each command of a batch on its own: updates ($3 to $20), inserts ($21 to $35), each sorted by id, audit entries of
-- those that are applied ($36, $37); $2 are the ids of all. Answers with the server's time first, then with a row for each
-- that was applied, without a head, and with what stands for each that was not.
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
updated AS (
    UPDATE {schema}.records AS r
    SET attempt = c.attempt, revision = c.revision, head = c.head, open = c.open,
        expires_at = to_timestamp(c.expires_ms / 1000.0::float8),
        due_at = to_timestamp(least(c.result_until_ms, c.expires_ms) / 1000.0::float8),
        state = c.state, fence = c.fence,
        lease_until = to_timestamp(c.lease_until_ms / 1000.0::float8),
        first_claim_at = to_timestamp(c.first_claim_ms / 1000.0::float8),
        fingerprint = c.fingerprint, status = c.status, route = c.route,
        result = CASE WHEN c.keep_result THEN r.result ELSE c.result END
    FROM limits, unnest(
        $3::bytea[], $4::bytea[], $5::bigint[], $6::boolean[],
        $7::bytea[], $8::bigint[], $9::bytea[], $10::boolean[], $11::bigint[], $12::bigint[], $13::text[],
        $14::bigint[], $15::bigint[], $16::bigint[], $17::bytea[], $18::smallint[], $19::text[], $20::bytea[]
    ) AS c (
        id, expect_attempt, expect_revision, keep_result,
        attempt, revision, head, open, expires_ms, result_until_ms, state,
        fence, lease_until_ms, first_claim_ms, fingerprint, status, route, result
    )
    WHERE r.id = c.id AND r.attempt = c.expect_attempt AND r.revision = c.expect_revision
    RETURNING r.id
),
inserted AS (
    INSERT INTO {schema}.records (
        id, attempt, revision, head, open, expires_at, due_at, state, fence, lease_until, first_claim_at, fingerprint,
        status, route, result
    )
    SELECT
        c.id, c.attempt, c.revision, c.head, c.open,
        to_timestamp(c.expires_ms / 1000.0::float8),
        to_timestamp(least(c.result_until_ms, c.expires_ms) / 1000.0::float8),
        c.state, c.fence,
        to_timestamp(c.lease_until_ms / 1000.0::float8),
        to_timestamp(c.first_claim_ms / 1000.0::float8),
        c.fingerprint, c.status, c.route, c.result
    FROM limits, unnest(
        $21::bytea[],
        $22::bytea[], $23::bigint[], $24::bytea[], $25::boolean[], $26::bigint[], $27::bigint[], $28::text[],
        $29::bigint[], $30::bigint[], $31::bigint[], $32::bytea[], $33::smallint[], $34::text[], $35::bytea[]
    ) AS c (
        id,
        attempt, revision, head, open, expires_ms, result_until_ms, state,
        fence, lease_until_ms, first_claim_ms, fingerprint, status, route, result
    )
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
    SELECT n.entry FROM unnest($36::bytea[], $37::bytea[]) AS n (id, entry)
    WHERE n.id = ANY (ARRAY(SELECT id FROM applied))
),
standing AS MATERIALIZED (
    SELECT r.id, r.head
    FROM {schema}.records AS r
    WHERE r.id IN (SELECT c.id FROM unnest($2::bytea[]) AS c (id) WHERE c.id NOT IN (SELECT id FROM applied))
    ORDER BY r.id
    FOR KEY SHARE OF r
)
SELECT NULL::bytea AS id, NULL::bytea AS head, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server_ms
UNION ALL
SELECT id, NULL, NULL FROM applied
UNION ALL
SELECT id, head, NULL FROM standing
