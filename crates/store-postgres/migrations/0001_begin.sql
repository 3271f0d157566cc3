-- The ledger: one row for each record, the identity, and the audit.
--
-- What a program decides by is `head` (the record's bytes), `attempt` and `revision` (what a compare-and-set compares),
-- `open`, `expires_at` and `due_at`. All other columns of `records` are for people, and are written with the head.
--
-- Columns of fixed width come first, so that none is padded. Half of each page is left free for the versions that renewals
-- and completions write. Results are sealed, and heads hold sealed parameters: to compress them again would only cost time.
CREATE TABLE {schema}.records (
    revision       bigint,
    fence          bigint,
    expires_at     timestamptz,
    due_at         timestamptz,
    lease_until    timestamptz,
    first_claim_at timestamptz,
    status         smallint,
    open           boolean NOT NULL DEFAULT false,
    id             bytea   NOT NULL,
    attempt        bytea,
    fingerprint    bytea,
    state          text,
    route          text,
    head           bytea   NOT NULL,
    result         bytea,
    CONSTRAINT records_pkey PRIMARY KEY (id)
) WITH (
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_limit = 2000
);
ALTER TABLE {schema}.records
    ALTER COLUMN head SET STORAGE EXTERNAL,
    ALTER COLUMN result SET STORAGE EXTERNAL;

-- The open records in the order of their ids. A renewal changes no column of it, so renewals stay within their page (HOT).
CREATE INDEX records_open ON {schema}.records (id) WHERE open;
-- When a sweep has something to do with a row: drop its result, or all of it.
CREATE INDEX records_due ON {schema}.records (due_at) WHERE due_at IS NOT NULL;

COMMENT ON TABLE {schema}.records IS 'One row for each operation; written by Onlyonce alone';
COMMENT ON COLUMN {schema}.records.open IS 'In progress or unknown: such a row never expires';
COMMENT ON COLUMN {schema}.records.expires_at IS 'From when on the row may go';
COMMENT ON COLUMN {schema}.records.due_at IS 'When the next part of it may go: its result first, then the row';
COMMENT ON COLUMN {schema}.records.head IS 'The record as Onlyonce reads it; the other columns repeat parts of it for people';
COMMENT ON COLUMN {schema}.records.result IS 'The result, sealed';

-- At most one row: the ledger's id, birth and wrapped key.
CREATE TABLE {schema}.identity (
    one      boolean NOT NULL DEFAULT true CHECK (one),
    identity bytea   NOT NULL,
    CONSTRAINT identity_pkey PRIMARY KEY (one)
);

CREATE TABLE {schema}.audit (
    number bigint      GENERATED ALWAYS AS IDENTITY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    entry  bytea       NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (number)
);

-- For people: an operation's public name, as answers and the log show it.
CREATE FUNCTION {schema}.operation_ref(id bytea, first_claim_at timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT AS $$
    WITH bits AS (
        SELECT id || substring(int8send((extract(epoch FROM first_claim_at) * 1000)::bigint) FROM 3) || '\x00'::bytea AS b
    ),
    digits AS (
        SELECT at / 5 AS digit, sum(get_bit(b, at / 8 * 8 + 7 - at % 8) << (4 - at % 5))::int AS value
        FROM bits, generate_series(0, 179) AS at
        GROUP BY at / 5
    )
    SELECT 'op_' || string_agg(substr('abcdefghijklmnopqrstuvwxyz234567', value + 1, 1), '' ORDER BY digit) FROM digits
$$;

-- For people: the id of the record that an operation's public name names.
CREATE FUNCTION {schema}.record_of(operation_ref text) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT AS $$
    WITH bits AS (
        SELECT string_agg(
            (strpos('abcdefghijklmnopqrstuvwxyz234567', substr(operation_ref, 3 + digit, 1)) - 1)::bit(5)::text, '' ORDER BY digit
        ) AS b
        FROM generate_series(1, 36) AS digit
    )
    SELECT decode(string_agg(lpad(to_hex(substr(b, 8 * byte + 1, 8)::bit(8)::int), 2, '0'), '' ORDER BY byte), 'hex')
    FROM bits, generate_series(0, 15) AS byte
$$;
