-- The identity row.
SELECT identity FROM {schema}.identity
