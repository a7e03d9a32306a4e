-- Keep a conversation and unlock it; does nothing when the lock went to somebody else.
-- KEYS[1] {holder}:talk   KEYS[2] {holder}:given   KEYS[3] {holder}:lock   (as in take.lua)
-- KEYS[4] {holder}:outbox:kept   KEYS[5] {holder}:answer   (as in take.lua)
-- KEYS[6…] the keys of the commands in ARGV[10]; none in a cluster, where they are elsewhere
-- ARGV[1] the taker's token   ARGV[2] the turn's mark, or empty   ARGV[3] how many marks are kept
-- ARGV[4] life of the talk in s   ARGV[5] life of what was given in s
-- ARGV[6] what was given, sealed; empty when nothing is kept of it
-- ARGV[7] the turn's answer, sealed, or empty   ARGV[8] its life in ms
-- ARGV[9] the last of the kept messages that the answer gives out, or empty: its place may have
--         changed meanwhile, where more were kept than there is room for
-- ARGV[10] commands that say who is where (bot/places.py), as JSON, or empty
-- ARGV[11…] fields and values
-- Gives 1, or 0 when the lock was lost.
if redis.call('GET', KEYS[3]) ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 11))
if ARGV[2] ~= '' then
  local heard = (redis.call('HGET', KEYS[1], 'd') or '') .. ARGV[2] .. ' '
  redis.call('HSET', KEYS[1], 'd', string.sub(heard, -(#ARGV[2] + 1) * tonumber(ARGV[3])))
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
if ARGV[6] == '' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[6], 'EX', ARGV[5])
end
if ARGV[7] ~= '' then
  redis.call('SET', KEYS[5], ARGV[7], 'PX', ARGV[8])
end
local given_out = ARGV[9] ~= '' and redis.call('LPOS', KEYS[4], ARGV[9])
if given_out then
  redis.call('LTRIM', KEYS[4], given_out + 1, -1)
end
redis.call('DEL', KEYS[3])
if ARGV[10] ~= '' then
  for _, command in ipairs(cjson.decode(ARGV[10])) do
    redis.call(unpack(command))
  end
end
return 1
