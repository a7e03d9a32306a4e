-- Takes something of an upgrade that may be used once, whatever comes of it.
-- KEYS  1 upgrade
-- ARGV  1 its field · 2 the field of its end
-- Gives {value, session, now (µs)}; an empty value when there is none or its time has passed.
local kept = redis.call('HMGET', KEYS[1], ARGV[1], ARGV[2], 'i')
local now = microseconds()
redis.call('HDEL', KEYS[1], ARGV[1], ARGV[2])
if not kept[1] or not kept[3] or now > tonumber(kept[2]) then
  return {'', '', text(now)}
end
return {kept[1], kept[3], text(now)}
