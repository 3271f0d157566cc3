-- Which tables the role may not use as the store does, by name.
SELECT coalesce(string_agg(name, ', '), '') AS missing
FROM (VALUES
    ('records', 'SELECT'), ('records', 'INSERT'), ('records', 'UPDATE'), ('records', 'DELETE'),
    ('identity', 'SELECT'), ('identity', 'INSERT'), ('identity', 'UPDATE'),
    ('audit', 'SELECT'), ('audit', 'INSERT'), ('audit', 'DELETE')
) AS needed (name, privilege)
WHERE NOT has_table_privilege(format('%s.%I', $1::text, name), privilege)
