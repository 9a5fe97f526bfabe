-- enter takes a place in each of several windows, or in none.
-- KEYS   the windows: sorted sets of places, each with when it is free again in µs
--        of Redis' clock; 'shut' among them is no place, and keeps all out till then
-- ARGV   1 now, µs, or '' for Redis' own clock  2 the place's name  3 the longest that it is taken, µs
--        then for each window: how many places there are, µs that one counts
-- RETURNS  0 | µs until asking makes sense
local t = redis.call('TIME')
local now = tonumber(ARGV[1]) or tonumber(t[1]) * 1000000 + tonumber(t[2])
local name, hold = ARGV[2], tonumber(ARGV[3])
local wait = 0
for i, key in ipairs(KEYS) do
  local most, per = tonumber(ARGV[2 * i + 2]), tonumber(ARGV[2 * i + 3])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
  local shut = tonumber(redis.call('ZSCORE', key, 'shut') or '0')
  wait = math.max(wait, shut - now)
  local taken = redis.call('ZCARD', key)
  if shut > 0 then taken = taken - 1 end
  if redis.call('ZSCORE', key, name) then taken = taken - 1 end
  if taken >= most then
    -- The place that is free next is ours; one whose answer is awaited may be free
    -- before its time, so nobody waits for longer than a place counts.
    local by = redis.call('ZRANGE', key, taken - most, taken - most, 'WITHSCORES')
    wait = math.max(wait, math.min(tonumber(by[2]) - now, per))
  end
end
if wait > 0 then return math.ceil(wait) end
for i, key in ipairs(KEYS) do
  local at = now + math.max(hold, tonumber(ARGV[2 * i + 3]))
  redis.call('ZADD', key, string.format('%.0f', at), name)
  local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  redis.call('PEXPIRE', key, math.ceil((tonumber(last[2]) - now) / 1000) + 1000)
end
return 0
