-- A terminal shows the binding code: its session gets a nonce, the code is used up.
-- KEYS  1 upgrade
-- ARGV  1 binding code · 2 session · 3 nonce · 4 terminal id · 5 seconds the nonce lives
-- Gives 1, or 0 when the code is not, or no longer, this session's.
local kept = redis.call('HMGET', KEYS[1], 'i', 'bc', 'be')
local now = microseconds()
if not kept[2] or kept[1] ~= ARGV[2] or kept[2] ~= ARGV[1] or now > tonumber(kept[3]) then
  return 0
end
redis.call('HDEL', KEYS[1], 'bc', 'be')
redis.call('HSET', KEYS[1], 'tn', ARGV[3], 'tt', ARGV[4],
  'te', text(now + tonumber(ARGV[5]) * 1000000))
return 1
