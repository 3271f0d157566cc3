-- The rows of these records, those that there are. What others have not committed is not there yet, and nothing is decided
-- by that: the insert of a claim finds it.
SELECT wanted.number, r.head, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS server_ms
FROM unnest($1::bytea[]) WITH ORDINALITY AS wanted (id, number)
LEFT JOIN {schema}.records AS r ON r.id = wanted.id
