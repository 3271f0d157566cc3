-- What a session must be like, whatever the server, the database or the role say.
--
-- The isolation is assumed by every statement: each sees what was committed when it began. A statement is never broken off
-- by the server, who would have to be believed that it was in time: whoever waits too long closes the connection, and knows
-- nothing. Warnings are sent, because one says that a commit may be on no standby. The plans are those of a table with millions
-- of rows, also while it is small and nobody has counted it.
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;
SET statement_timeout = 0;
SET client_min_messages = warning;
SET lock_timeout = 1000;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET jit = off;
SET plan_cache_mode = force_generic_plan
