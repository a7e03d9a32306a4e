-- Puts something into an upgrade that is under way, for a while.
-- KEYS  1 upgrade
-- ARGV  1 its field · 2 the field of its end · 3 the value · 4 seconds it lives
-- Gives 1, or 0 when no upgrade is under way.
if redis.call('HEXISTS', KEYS[1], 'i') == 0 then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3],
  ARGV[2], text(microseconds() + tonumber(ARGV[4]) * 1000000))
return 1
