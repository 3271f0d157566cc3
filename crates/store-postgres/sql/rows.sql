-- A page of all rows in the order of their ids.
SELECT id, head FROM {schema}.records WHERE id > $1 ORDER BY id LIMIT $2
