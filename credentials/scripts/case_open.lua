-- Opens a case for the operators, once, and writes that down.
-- KEYS  1 log · 2 head · 3 case · 4 open cases by time · 5 all cases by time
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 case id · 5 body · 6 tag
--       7.. fields and values of the case
-- Gives {1 if it was opened now, the case's fields and values}.
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {0, redis.call('HGETALL', KEYS[3])}
end
local chain = {log = KEYS[1], head = KEYS[2], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local now = microseconds()
append(chain, text(now), ARGV[4], '0', ARGV[5], ARGV[6])
redis.call('HSET', KEYS[3], 's', 'open', 'at', text(now), unpack(ARGV, 7))
redis.call('ZADD', KEYS[4], text(now), ARGV[4])
redis.call('ZADD', KEYS[5], text(now), ARGV[4])
return {1, redis.call('HGETALL', KEYS[3])}
