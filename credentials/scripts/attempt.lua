-- One attempt at a delivery begins, unless it is over or another attempt is under way.
-- KEYS  1 delivery
-- ARGV  1 most attempts · 2 how long an attempt may take (ms)
-- Gives the number of the attempt, or 0, and for how long another one is under way (ms).
local kept = redis.call('HMGET', KEYS[1], 's', 'n', 'l')
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local rest = (tonumber(kept[3]) or 0) - now
if kept[1] ~= 'waiting' then
  return {0, 0}
end
if rest > 0 then
  return {0, rest}
end
local number = (tonumber(kept[2]) or 0) + 1
if number > tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 's', 'failed')
  return {0, 0}
end
redis.call('HSET', KEYS[1], 'n', number, 'l', string.format('%.0f', now + tonumber(ARGV[2])))
return {number, 0}
