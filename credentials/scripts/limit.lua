-- Attempts within a window, and a pause after the last one; by the clock of Redis.
-- KEYS 1 hash: n attempts used, w end of the window, c end of the pause (milliseconds since 1970)
-- ARGV 1 what to do: count, look or give_back   2 attempts in a window   3 window, ms   4 pause, ms
-- gives {attempts left, milliseconds to wait}; an attempt was allowed if there is nothing to wait
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local todo, limit = ARGV[1], tonumber(ARGV[2])
local window, pause = tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'n', 'w', 'c')
local used, ends, paused = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0

local function keep()
  redis.call('HSET', KEYS[1], 'n', used, 'w', string.format('%.0f', ends),
    'c', string.format('%.0f', paused))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(ends, paused, now + 1) - now))
end

if todo == 'give_back' then
  if used > 0 then
    used, paused = used - 1, 0
    keep()
  end
  return {math.max(limit - used, 0), 0}
end
if paused > now then
  return {0, paused - now}
end
if paused > 0 or ends <= now then
  used, ends, paused = 0, now + window, 0
end
if todo == 'count' then
  used = used + 1
  if used >= limit then
    paused = now + pause
  end
  keep()
end
return {math.max(limit - used, 0), 0}
