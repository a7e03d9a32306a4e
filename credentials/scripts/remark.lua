-- Writes down about a credential what changes nothing in its record: a PIN locked, a binding refused.
-- KEYS  1 record · 2 log · 3 head
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
-- Gives 1, or 0 if there is no such record.
local back = redis.call('HGET', KEYS[1], 'g')
if not back then
  return 0
end
local chain = {log = KEYS[2], head = KEYS[3], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
redis.call('HSET', KEYS[1], 'g', append(chain, text(microseconds()), ARGV[4], back, ARGV[5], ARGV[6]))
redis.call('HINCRBY', KEYS[1], 'n', 1)
return 1
