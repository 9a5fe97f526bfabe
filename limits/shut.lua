-- shut keeps all out of windows for a while; a shorter one takes nothing back.
-- KEYS   the windows, as in enter
-- ARGV   1 now, µs, or '' for Redis' own clock  2 'shut'  3 for how long, µs
-- RETURNS  'OK'
local t = redis.call('TIME')
local now = tonumber(ARGV[1]) or tonumber(t[1]) * 1000000 + tonumber(t[2])
local at = now + tonumber(ARGV[3])
for _, key in ipairs(KEYS) do
  if at > tonumber(redis.call('ZSCORE', key, ARGV[2]) or '0') then
    redis.call('ZADD', key, string.format('%.0f', at), ARGV[2])
  end
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  redis.call('PEXPIRE', key, math.ceil((tonumber(last[2]) - now) / 1000) + 1000)
end
return 'OK'
