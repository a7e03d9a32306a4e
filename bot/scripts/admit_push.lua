-- Admit a push that is fresh: see bot/wechat/freshness.py for the rules.
-- KEYS[1] nonce:<nonce>
-- ARGV[1] timestamp, ARGV[2] digest of the message, ARGV[3] openid,
-- ARGV[4] seconds that a timestamp may be off, ARGV[5] seconds to remember, ARGV[6] deliveries
-- Returns "fresh", "stale", "reused" or "repeated".
local now = tonumber(redis.call('TIME')[1])
if math.abs(now - tonumber(ARGV[1])) > tonumber(ARGV[4]) then
  return 'stale'
end
local seen = redis.call('HMGET', KEYS[1], 't', 'm', 'o')
if seen[2] == ARGV[2] then
  if redis.call('HINCRBY', KEYS[1], 'n', 1) > tonumber(ARGV[6]) then
    return 'repeated'
  end
  return 'fresh'
end
if seen[1] and (seen[1] == ARGV[1] or seen[3] == ARGV[3]) then
  return 'reused'
end
redis.call('HSET', KEYS[1], 't', ARGV[1], 'm', ARGV[2], 'o', ARGV[3], 'n', 1)
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 'fresh'
