-- Reserves what exists once (an ID number, an account) for a credential, for a while.
-- KEYS  1 the reservation
-- ARGV  1 credential id · 2 the credential it may be taken from, or '' · 3 seconds it holds
-- Gives {credential that has it now, 1 if it is settled for good}.
local has = redis.call('GET', KEYS[1])
if has and has ~= ARGV[1] and has ~= ARGV[2] then
  return {has, redis.call('TTL', KEYS[1]) == -1 and 1 or 0}
end
if has ~= ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
end
return {ARGV[1], redis.call('TTL', KEYS[1]) == -1 and 1 or 0}
