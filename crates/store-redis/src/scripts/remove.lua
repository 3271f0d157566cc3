-- Removes one expired row with its result, if it is still the row that was read.
--
-- The race it closes: between the look for expired rows and their removal somebody claims the key anew. By its id alone the
-- new claim would go, and the operation would run twice; its version is another one, so it stays.
--
-- KEYS  1 row  2 result  3 index of ended rows by expiry
-- ARGV  1 the version that was read, 20 bytes  2 the record's id, as the index names it
-- Answers how many rows were removed.
local row = redis.call('GET', KEYS[1])
if not row then
  -- It went otherwise, by hand or by an expiry of the server's own.
  redis.call('ZREM', KEYS[3], ARGV[2])
  redis.call('UNLINK', KEYS[2])
  return 0
end
if #row < 30 or string.byte(row, 1) ~= 1 or string.sub(row, 11, 30) ~= ARGV[1] then
  return 0
end
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('UNLINK', KEYS[1], KEYS[2])
return 1
