-- A record is made once: of two that are made at the same moment, one wins.
-- KEYS 1 hash   ARGV field, value, field, value …
-- gives 1, or 0 if there is one already and nothing was done
if redis.call('EXISTS', KEYS[1]) == 1 then
  return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
