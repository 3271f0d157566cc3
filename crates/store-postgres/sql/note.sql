-- Appends an audit entry.
INSERT INTO {schema}.audit (entry) VALUES ($1)
