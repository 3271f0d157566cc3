-- The same for one transaction, where a pooler may give the next one to another session. An owner that stands still between
-- two statements must not hold rows for ever: after five seconds his transaction is undone. How it commits is as the server, the
-- database or the role say: what another client has left in the session counts for nothing.
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL idle_in_transaction_session_timeout = 5000;
SET LOCAL statement_timeout = 0;
SET LOCAL client_min_messages = warning;
SET LOCAL synchronous_commit TO DEFAULT;
SET LOCAL lock_timeout = 1000;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL jit = off
