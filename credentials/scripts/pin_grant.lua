-- The PIN was right: forgets the tries, and lets one disclosure pass for a while.
-- KEYS  1 PIN
-- ARGV  1 the sealed PIN that was compared · 2 what it was entered for · 3 seconds it counts
-- Gives 1, or 0 if the PIN has been changed meanwhile.
if redis.call('HGET', KEYS[1], 'h') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'f', 0, 'gt', ARGV[2],
  'gu', text(microseconds() + tonumber(ARGV[3]) * 1000000))
return 1
