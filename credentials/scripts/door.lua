-- The door, put before every script that asks who is there (see store.py and door.py).

-- What is kept of a verifier (n p b u c r, '' where there is none) and of the key shown, or ''.
local function known(info, keys, digest)
  local fields = redis.call('HMGET', info, 'n', 'p', 'b', 'u', 'c', 'r')
  for at = 1, #fields do
    fields[at] = fields[at] or ''
  end
  return fields, redis.call('HGET', keys, digest) or ''
end

-- Counts a request with a right key; gives how many may follow at once, and microseconds to wait.
-- (Generic cell rate algorithm: the time kept is when the verifier's requests so far will have
-- been earned. When each key was last used is kept to the minute.)
local function counted(rate, used, digest, per_second, burst)
  local each, most = 1000000 / tonumber(per_second), tonumber(burst)
  local clock = redis.call('TIME')
  local now = clock[1] * 1000000 + clock[2]
  local earned = math.max(tonumber(redis.call('GET', rate) or 0), now) + each
  local ahead = earned - now - each * most
  if ahead > 0 then
    return 0, math.ceil(ahead)
  end
  if clock[1] - (redis.call('HGET', used, digest) or 0) >= 60 then
    redis.call('HSET', used, digest, clock[1])
  end
  redis.call('SET', rate, string.format('%.0f', earned),
    'PX', math.ceil((earned - now) / 1000) + 1)
  return math.floor(-ahead / each), 0
end
