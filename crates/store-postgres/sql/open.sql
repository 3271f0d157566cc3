-- A page of open rows in the order of their ids.
SELECT id, head FROM {schema}.records WHERE open AND id > $1 ORDER BY id LIMIT $2
