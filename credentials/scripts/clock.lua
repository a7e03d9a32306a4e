-- The time.
-- KEYS  1 any key of the server that is asked
-- Gives microseconds since 1970.
return text(microseconds())
