-- Move messages from the queue's beginning to what is kept for the next turn.
-- KEYS[1] queue, KEYS[2] tries, KEYS[3] kept
-- ARGV[1] how many, or 0 for all; ARGV[2] seconds to keep them; ARGV[3] most that are kept
-- ARGV[4] the message that must be the first, or empty: else another worker has dealt with it
-- Returns how many were moved, and the oldest ones that there was no room for.
if ARGV[4] ~= '' and redis.call('LINDEX', KEYS[1], 0) ~= ARGV[4] then
  return {0, {}}
end
local last = tonumber(ARGV[1]) - 1
local moved = redis.call('LRANGE', KEYS[1], 0, last)
for _, message in ipairs(moved) do
  redis.call('RPUSH', KEYS[3], message)
end
if last < 0 then
  redis.call('DEL', KEYS[1])
else
  redis.call('LTRIM', KEYS[1], last + 1, -1)
end
redis.call('DEL', KEYS[2])
redis.call('EXPIRE', KEYS[3], ARGV[2])
local over = redis.call('LLEN', KEYS[3]) - tonumber(ARGV[3])
if over <= 0 then
  return {#moved, {}}
end
local lost = redis.call('LRANGE', KEYS[3], 0, over - 1)
redis.call('LTRIM', KEYS[3], over, -1)
return {#moved, lost}
