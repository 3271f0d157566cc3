-- Writes one record's row if the version that stands is the one expected, and with it whatever hangs on the row.
--
-- The race it closes: two gateways have read the same row, or none, and both write. A server runs a script to its end
-- before anything else, so the second one finds another version and changes nothing. Because the row, its result, its
-- places in the indexes and the audit entry are written in the same script, no crash and no reader finds one without
-- the others. Sent twice, it finds its own version the second time and changes nothing either.
--
-- KEYS  1 row  2 result  3 index of open rows  4 index of ended rows by expiry  5 audit
-- ARGV  1 expected version, 20 bytes; empty: there must be no row
--       2 the new row
--       3 the record's id, as the indexes name it
--       4 'open', or the score in the index of ended rows
--       5 'keep', 'put' or 'remove' the result
--       6 the result  7 milliseconds after which the server may drop it by itself
--       8 audit entry; empty: none  9 most entries
-- Answers 1 if it was written, else the row that stands, or nil.
local row = redis.call('GET', KEYS[1])
local version, was_open = '', nil
if row then
  -- A row of another format, or one that is cut, equals no version: unreadable is never absent.
  if #row >= 30 and string.byte(row, 1) == 1 then
    version = string.sub(row, 11, 30)
    was_open = string.byte(row, 2) % 2 == 1
  else
    version = 'unreadable'
  end
end
if version ~= ARGV[1] then
  return row
end

-- What forbids writing (no memory, a replica, a disk that fails) forbids the first write, before anything has changed:
-- its error is passed on as it is, and proves that nothing was written.
-- A row has no expiry of the server's own, open or ended, and loses one that somebody gave it: whether its time has come is not
-- for the server's clock alone to say. A sweep removes it.
local written = redis.pcall('SET', KEYS[1], ARGV[2])
if written.err then
  return written
end

if ARGV[5] == 'put' then
  redis.call('SET', KEYS[2], ARGV[6], 'PX', ARGV[7])
elseif ARGV[5] == 'remove' then
  redis.call('UNLINK', KEYS[2])
end

if ARGV[4] == 'open' then
  if not was_open then
    redis.call('ZADD', KEYS[3], 0, ARGV[3])
    redis.call('ZREM', KEYS[4], ARGV[3])
  end
else
  if was_open then
    redis.call('ZREM', KEYS[3], ARGV[3])
  end
  redis.call('ZADD', KEYS[4], ARGV[4], ARGV[3])
end

if ARGV[8] ~= '' then
  append(KEYS[5], ARGV[8], ARGV[9])
end
return 1
