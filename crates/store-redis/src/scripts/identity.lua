-- Replaces the ledger's identity if it is still the one that was read.
--
-- The race it closes: two gateways that open a new ledger at the same time each make an identity; the second one finds the
-- first's and takes that. The same for two that wrap the ledger's key anew.
--
-- KEYS  1 the ledger's own row
-- ARGV  1 the identity that was read; empty: there must be none  2 the new one  3 the layout of the keys
-- Answers 1 if it was replaced, else 0.
local stands = redis.call('HGET', KEYS[1], 'identity') or ''
if stands ~= ARGV[1] then
  return 0
end
local written = redis.pcall('HSET', KEYS[1], 'identity', ARGV[2], 'layout', ARGV[3])
if type(written) == 'table' and written.err then
  return written
end
return 1
