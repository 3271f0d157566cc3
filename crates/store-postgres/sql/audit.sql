-- A page of the audit, newest first.
SELECT number, entry FROM {schema}.audit WHERE number < $1 ORDER BY number DESC LIMIT $2
