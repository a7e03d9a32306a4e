-- Strikes off an account that waits, unless it asked anew meanwhile, and its division with the last.
-- KEYS  1 divisions · 2 who waits for this division
-- ARGV  1 division · 2 field · 3 its value (both only if there is an account to strike off)
if ARGV[2] and redis.call('HGET', KEYS[2], ARGV[2]) == ARGV[3] then
  redis.call('HDEL', KEYS[2], ARGV[2])
end
if redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('SREM', KEYS[1], ARGV[1])
end
return 1
