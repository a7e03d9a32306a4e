-- Counts a try of a PIN before anything is compared, and gives what to compare it with.
-- KEYS  1 PIN
-- ARGV  1 how many wrong tries lock it
-- Gives {'ok', sealed PIN, tries left after this one} or {'refused', code}.
local kept = redis.call('HMGET', KEYS[1], 'h', 'f')
if not kept[1] then
  return {'refused', 'pin_unset'}
end
local used, limit = tonumber(kept[2]) or 0, tonumber(ARGV[1])
if used >= limit then
  return {'refused', 'pin_locked'}
end
redis.call('HSET', KEYS[1], 'f', used + 1)
return {'ok', kept[1], limit - used - 1}
