-- Writes the record of a new credential, pending, with its portrait and its first log entry.
-- A pending record lives a day; `transition` makes it last when it becomes active.
-- KEYS  1 record · 2 portrait · 3 log · 4 head
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 level · 8 sealed data · 9 valid until (s, or '') · 10 sealed portrait
--       11 seconds a pending record lives
-- Gives 1 if it was written, 0 if there is a record already.
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local now = microseconds()
local seq = append(chain, text(now), ARGV[4], '0', ARGV[5], ARGV[6])
redis.call('HSET', KEYS[1], 's', 'pending', 'l', ARGV[7], 't', text(math.floor(now / 1000000)),
  'x', ARGV[9], 'n', '1', 'g', seq, 'e', ARGV[8])
redis.call('EXPIRE', KEYS[1], ARGV[11])
redis.call('SET', KEYS[2], ARGV[10], 'EX', ARGV[11])
return 1
