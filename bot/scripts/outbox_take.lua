-- Take everything that a list holds.
-- KEYS[1] the list
local all = redis.call('LRANGE', KEYS[1], 0, -1)
redis.call('DEL', KEYS[1])
return all
