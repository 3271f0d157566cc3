-- What the server does with what it acknowledges, and its time: looked at again while a ledger is in use. A reload may change
-- the one and the other, and so may a fail-over to another server.
--
-- `synchronous_commit` is what the server, the database or the role say; our sessions have a word of their own
-- (`commit_in_session.sql`), and another client of a pooler may have left one.
SELECT
    current_setting('fsync') AS fsync,
    current_setting('full_page_writes') AS full_page_writes,
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names') AS standby_names,
    (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server_ms
