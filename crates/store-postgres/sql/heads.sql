-- The rows of these records, those that there are. What others have not committed is not there yet, and nothing is decided
-- by that: the insert of a claim finds it.
SELECT NULL::bytea AS id, NULL::bytea AS head, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server_ms
UNION ALL
SELECT r.id, r.head, NULL FROM unnest($1::bytea[]) AS wanted (id) JOIN {schema}.records AS r ON r.id = wanted.id
