-- Appends an entry to an audit, under a number that is above all before it. Prepended to the scripts that write one.
--
-- The race it closes: two entries within one microsecond, or a server whose clock was set back, would get a number that
-- stands or lies below one that was read already. The number is the server's time in microseconds, or one more than the
-- last.
local function append(audit, entry, most)
  local time = redis.call('TIME')
  local number = time[1] * 1000000 + time[2]
  local last = redis.call('XREVRANGE', audit, '+', '-', 'COUNT', 1)[1]
  if last then
    number = math.max(number, tonumber(string.match(last[1], '^%d+')) + 1)
  end
  return redis.pcall('XADD', audit, 'MAXLEN', most, string.format('%.0f-0', number), 'entry', entry)
end
