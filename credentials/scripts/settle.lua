-- Makes a reservation last, or gives it up, if it is still this credential's.
-- KEYS  1 the reservation
-- ARGV  1 credential id · 2 'keep' or 'drop'
-- Gives 1 if it was the credential's, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call(ARGV[2] == 'keep' and 'PERSIST' or 'DEL', KEYS[1])
return 1
