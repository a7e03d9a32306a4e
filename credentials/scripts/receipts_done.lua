-- Receipts were passed on: nobody is given them again.
-- KEYS  1 receipts
-- ARGV  1 group · 2… entries
-- Gives how many of them nobody else had struck off.
redis.call('XACK', KEYS[1], unpack(ARGV))
return redis.call('XDEL', KEYS[1], unpack(ARGV, 2))
