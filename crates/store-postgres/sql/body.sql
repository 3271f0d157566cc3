-- The result of a record; apart from the row, because it may be large and is wanted only where it is replayed.
SELECT result FROM {schema}.records WHERE id = $1
