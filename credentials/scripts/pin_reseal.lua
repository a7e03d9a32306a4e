-- Puts a PIN that was sealed anew in the place of the one it was made from.
-- KEYS  1 PIN
-- ARGV  1 as it was · 2 as it is now
-- Gives 1, or 0 if it has been changed meanwhile.
if redis.call('HGET', KEYS[1], 'h') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'h', ARGV[2])
return 1
