-- take takes a place in each of several rates, or in none.
-- KEYS   the rates: when each would be at rest again, in µs of Redis' clock
-- ARGV   1 the longest wait for a place, µs  then for each rate: µs between two
--        places, µs that it may be ahead (a burst)
-- RETURNS  {1, µs until the place may be used} | {0, µs until asking makes sense}
local t = redis.call('TIME')
local now = tonumber(t[1]) * 1000000 + tonumber(t[2])
local rest, wait = {}, 0
for i, key in ipairs(KEYS) do
  rest[i] = math.max(now, tonumber(redis.call('GET', key) or '0'))
  wait = math.max(wait, rest[i] - tonumber(ARGV[2 * i + 1]) - now)
end
if wait > tonumber(ARGV[1]) then return {0, wait} end
for i, key in ipairs(KEYS) do
  local at = rest[i] + tonumber(ARGV[2 * i])
  -- At rest, a rate needs no key. It goes a little later, not sooner.
  redis.call('SET', key, string.format('%.0f', at), 'PX', math.ceil((at - now) / 1000) + 1000)
end
return {1, wait}
