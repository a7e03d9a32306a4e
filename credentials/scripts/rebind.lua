-- Gives a credential other sealed data: of a fresh answer of the authority, or of another account.
-- What the authority's word froze is from then on the holder's to unfreeze: it has said otherwise.
-- KEYS  1 record · 2 portrait · 3 log · 4 head · 5 PIN · 6 upgrade under way · 7 index of ends
-- ARGV  1 key version · 2 inner key · 3 outer key · 4 credential id · 5 body · 6 tag
--       7 sealed data that it is made from · 8 new sealed data · 9 valid until (s, or '')
--       10 new sealed portrait, or '' · 11 '1' if the level falls back to light, PIN and all
--       12 '1' if every code that was shown so far is used up
-- Gives {'ok', level} or {'refused', status, or 'changed' if the data is another by now}.
local record = redis.call('HMGET', KEYS[1], 's', 'g', 'e', 'l', 'b')
local status, now = record[1], microseconds()
if status ~= 'active' and status ~= 'frozen' then
  return {'refused', status or ''}
end
if record[3] ~= ARGV[7] then
  return {'refused', 'changed'}
end
local chain = {log = KEYS[3], head = KEYS[4], version = ARGV[1], inner = ARGV[2], outer = ARGV[3]}
local seq = append(chain, text(now), ARGV[4], record[2], ARGV[5], ARGV[6])
redis.call('HSET', KEYS[1], 'e', ARGV[8], 'x', ARGV[9], 'g', seq)
redis.call('HINCRBY', KEYS[1], 'n', 1)
redis.call('HDEL', KEYS[1], 'w')
if record[5] == 'system' then
  redis.call('HSET', KEYS[1], 'b', 'holder')
end
if ARGV[10] ~= '' then
  redis.call('SET', KEYS[2], ARGV[10])
end
local level = record[4]
if ARGV[11] == '1' then
  level = 'light'
  redis.call('HSET', KEYS[1], 'l', level)
  redis.call('DEL', KEYS[5], KEYS[6])
end
if ARGV[12] == '1' then
  redis.call('HSET', KEYS[1], 'a', text(now))
end
if ARGV[9] ~= '' then
  redis.call('ZADD', KEYS[7], ARGV[9], ARGV[4])
else
  redis.call('ZREM', KEYS[7], ARGV[4])
end
return {'ok', level}
