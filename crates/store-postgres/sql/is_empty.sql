-- Whether there is no row at all.
SELECT NOT EXISTS (SELECT FROM {schema}.records) AS is_empty
