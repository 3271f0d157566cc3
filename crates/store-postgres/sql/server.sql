-- What opening has to know of the server; for its settings see `settings.sql`.
SELECT
    current_setting('server_version_num')::int AS version,
    pg_is_in_recovery() AS standby,
    current_setting('default_transaction_read_only') AS read_only,
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standby_names,
    to_regnamespace($1) IS NOT NULL AS schema_exists,
    coalesce(has_schema_privilege(to_regnamespace($1)::oid, 'USAGE'), false) AS schema_usable,
    current_user::text AS role,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server_ms
