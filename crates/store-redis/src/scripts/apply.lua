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
--       5 milliseconds after which the server may drop the row by itself; empty: never
--       6 'keep', 'put' or 'remove' the result
--       7 the result  8 milliseconds after which the server may drop it
--       9 audit entry; empty: none  10 most entries
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
local written
if ARGV[5] == '' then
  -- Takes away the expiry that the row before may have had.
  written = redis.pcall('SET', KEYS[1], ARGV[2])
else
  written = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[5])
end
if written.err then
  return written
end

if ARGV[6] == 'put' then
  redis.call('SET', KEYS[2], ARGV[7], 'PX', ARGV[8])
elseif ARGV[6] == 'remove' then
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

if ARGV[9] ~= '' then
  append(KEYS[5], ARGV[9], ARGV[10])
end
return 1
