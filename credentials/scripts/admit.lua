-- Who asks with this key, and may they ask now: one round trip for both.
-- KEYS 1 hash of the verifier   2 hash of its API keys by SHA-256   3 its rate (a time, in microseconds)
--      4 hash: when each key was last used, to the minute
-- ARGV 1 SHA-256 of the key shown, hex   2 requests a second   3 requests at once
-- gives nothing for an unknown verifier, else {fields, SHA-256 of each key, requests left, microseconds to wait,
-- what is kept of the key}
-- Only a right key is counted: who knows no key cannot use up somebody's rate. (Generic cell
-- rate algorithm: the time kept is when the verifier's requests so far will have been earned.)
local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then
  return false
end
local keys = redis.call('HKEYS', KEYS[2])
local kept = redis.call('HGET', KEYS[2], ARGV[1])
if not kept then
  return {fields, keys, 0, 0, ''}
end
local own = redis.call('HGET', KEYS[1], 'r')
local each = 1000000 / tonumber(own or ARGV[2])
local burst = tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local earned = math.max(tonumber(redis.call('GET', KEYS[3]) or 0), now) + each
local ahead = earned - now - each * burst
if ahead > 0 then
  return {fields, keys, 0, math.ceil(ahead), kept}
end
if clock[1] - (redis.call('HGET', KEYS[4], ARGV[1]) or 0) >= 60 then
  redis.call('HSET', KEYS[4], ARGV[1], clock[1])
end
redis.call('SET', KEYS[3], string.format('%.0f', earned),
  'PX', math.ceil((earned - now) / 1000) + 1)
return {fields, keys, math.floor(-ahead / each), 0, kept}
