-- The same for one transaction, whichever of the pooler's sessions it has got.
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
