-- What was migrated, beside what it made. Made by whoever migrates first; the lock that he holds keeps others out.
CREATE TABLE IF NOT EXISTS {schema}.migrations (
    number     integer     NOT NULL,
    name       text        NOT NULL,
    -- Programs that know the schema up to this number may still use the ledger after this migration.
    serves     integer     NOT NULL,
    checksum   bytea       NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT migrations_pkey PRIMARY KEY (number)
)
