-- What is acknowledged in this session is on disk. `synchronous_commit = off` was refused when the ledger was opened; who turns
-- it off later, for the server, the database or the role, changes nothing here. Any other value stays as it is.
SELECT set_config(
    'synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END,
    false
)
