-- A receipt was passed on: nobody is given it again.
-- KEYS  1 receipts
-- ARGV  1 group · 2 entry
-- Gives 1, or 0 where somebody else had done it.
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
return redis.call('XDEL', KEYS[1], ARGV[2])
