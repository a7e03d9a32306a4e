-- Takes entries out of a live chain that an archive holds, and keeps where the chain goes on.
-- KEYS  1 log · 2 head
-- ARGV  1 number of the last entry archived before · 2 number and 3 mac of the last archived now
-- Gives 1, or 0 if the chain does not read so, and then nothing is done.
local archived = redis.call('HGET', KEYS[2], 'an') or '0'
if archived ~= ARGV[1] then
  return 0
end
local found = redis.call('XRANGE', KEYS[1], ARGV[2] .. '-0', ARGV[2] .. '-0')[1]
if not found then
  return 0
end
local mac
for i = 1, #found[2], 2 do
  if found[2][i] == 'm' then
    mac = found[2][i + 1]
  end
end
if mac ~= ARGV[3] then
  return 0
end
redis.call('XTRIM', KEYS[1], 'MINID', string.format('%d-0', tonumber(ARGV[2]) + 1))
redis.call('HSET', KEYS[2], 'an', ARGV[2], 'am', ARGV[3])
return 1
