-- freeze has nobody get a place in a rate for a while.
-- KEYS   1 the rate, as in take
-- ARGV   1 for how long, µs  2 µs that the rate may be ahead
-- RETURNS  'OK'
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local at = now + tonumber(ARGV[1]) + tonumber(ARGV[2])
at = math.max(at, tonumber(redis.call('GET', KEYS[1]) or '0'))
return redis.call('SET', KEYS[1], string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000) + 1000)
