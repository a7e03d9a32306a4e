-- End a case, once: what was sealed of the person goes with the decision, but for whom to tell.
-- KEYS[1] {review:<id>}  KEYS[2] {review:<id>}:images
-- ARGV[1] approved, rejected, expired or withdrawn  ARGV[2] who  ARGV[3] why  ARGV[4] now, seconds since 1970
-- Gives the state it is in now: approved, rejected, expired, withdrawn; or first (another reviewer has to
-- approve, too), same (the same one did), gone, or decided (it was before).
local state = redis.call('HGET', KEYS[1], 's')
if not state then
  return 'gone'
end
if state ~= 'waiting' then
  return 'decided'
end
local late = tonumber(ARGV[4]) >= tonumber(redis.call('HGET', KEYS[1], 'e'))
if late and ARGV[1] ~= 'withdrawn' then
  ARGV[1] = 'expired'
end
if ARGV[1] == 'expired' and not late then
  return 'waiting'
end
if ARGV[1] == 'approved' and redis.call('HGET', KEYS[1], 'q') == '2' then
  local first = redis.call('HGET', KEYS[1], 'a')
  if not first then
    redis.call('HSET', KEYS[1], 'a', ARGV[2], 'ar', ARGV[3])
    return 'first'
  end
  if first == ARGV[2] then
    return 'same'
  end
end
redis.call('HSET', KEYS[1], 's', ARGV[1], 'b', ARGV[2], 'br', ARGV[3], 'at', ARGV[4])
redis.call('HDEL', KEYS[1], 'd')
if ARGV[1] == 'withdrawn' then
  redis.call('HDEL', KEYS[1], 'h')
end
redis.call('DEL', KEYS[2])
return ARGV[1]
