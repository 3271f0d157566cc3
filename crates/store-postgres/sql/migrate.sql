-- The transaction in which all missing migrations are applied. Who else migrates has a minute.
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL statement_timeout = 0;
SET LOCAL lock_timeout = 60000
