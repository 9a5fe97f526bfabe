-- leave says when a place was used: it counts from then.
-- KEYS   the windows, as in enter
-- ARGV   1 now, µs, or '' for Redis' own clock  2 the place's name
--        then for each window: how many places there are, µs that one counts
-- RETURNS  'OK'
local t = redis.call('TIME')
local now = tonumber(ARGV[1]) or tonumber(t[1]) * 1000000 + tonumber(t[2])
for i, key in ipairs(KEYS) do
  local at = now + tonumber(ARGV[2 * i + 2])
  redis.call('ZADD', key, string.format('%.0f', at), ARGV[2])
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  redis.call('PEXPIRE', key, math.ceil((tonumber(last[2]) - now) / 1000) + 1000)
end
return 'OK'
