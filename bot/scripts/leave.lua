-- Unlock a conversation without a change, or erase it, if it is still locked by this taker.
-- KEYS[1] {holder}:talk   KEYS[2] {holder}:given   KEYS[3] {holder}:lock   (as in take.lua)
-- KEYS[4] {holder}:answer
-- ARGV[1] the taker's token   ARGV[2] 'erase', or anything else
-- Gives 1, or 0 when the lock was lost.
if redis.call('GET', KEYS[3]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == 'erase' then
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[4])
end
redis.call('DEL', KEYS[3])
return 1
