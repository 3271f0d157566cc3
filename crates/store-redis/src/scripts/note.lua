-- Appends an audit entry that belongs to no write.
--
-- The race it closes: that of `audit.lua`.
--
-- KEYS  1 audit
-- ARGV  1 entry  2 most entries
-- Answers the entry's number.
return append(KEYS[1], ARGV[1], ARGV[2])
