-- Writes down a use that a desk without a network saw, once for each desk.
-- KEYS  1 record · 2 log · 3 head · 4 uses of the token
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 which desk · 8 seconds it is remembered
-- Gives {1 if it was written now, how many desks used the token}, or {-1, 0} without a record.
local back = redis.call('HGET', KEYS[1], 'g')
if not back then
  return {-1, 0}
end
local now, new = microseconds(), 0
if redis.call('HSETNX', KEYS[4], ARGV[7], text(now)) == 1 then
  new = 1
  local chain = {log = KEYS[2], head = KEYS[3], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
  redis.call('HSET', KEYS[1], 'g', append(chain, text(now), ARGV[4], back, ARGV[5], ARGV[6]))
  redis.call('HINCRBY', KEYS[1], 'n', 1)
  redis.call('EXPIRE', KEYS[4], ARGV[8])
end
return {new, redis.call('HLEN', KEYS[4])}
