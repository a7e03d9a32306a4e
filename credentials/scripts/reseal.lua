-- Puts a value that was sealed anew in the place of the one it was made from, wherever it lives on.
-- KEYS  1 where · 2 a lock under which the value must not be changed (or the first key again)
-- ARGV  1 'string', 'hash' or 'list' · 2 field · 3 as it was · 4 as it is now
-- Gives 1 if it was put there, 0 if it is another or gone by now, -1 while it is locked.
if KEYS[2] ~= KEYS[1] and redis.call('EXISTS', KEYS[2]) == 1 then
  return -1
end
if ARGV[1] == 'string' then
  if redis.call('GET', KEYS[1]) ~= ARGV[3] then
    return 0
  end
  redis.call('SET', KEYS[1], ARGV[4], 'KEEPTTL')
elseif ARGV[1] == 'hash' then
  if redis.call('HGET', KEYS[1], ARGV[2]) ~= ARGV[3] then
    return 0
  end
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
else
  local place = redis.call('LPOS', KEYS[1], ARGV[3])
  if not place then
    return 0
  end
  redis.call('LSET', KEYS[1], place, ARGV[4])
end
return 1
