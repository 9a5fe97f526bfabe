-- Writes the state of an account on a market, if nobody has since it was read.
-- KEYS: the state (a hash), its finished orders (a hash), when they ended (a sorted
--   set)
-- ARGV: the version that was read, the new state, how many finished orders are
--   kept, the time in ms; then for each order that has ended: its client id, itself
-- Returns 1 if it was written.
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'version', tostring(tonumber(ARGV[1]) + 1), 'doc', ARGV[2])
for i = 5, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[3], ARGV[4], ARGV[i])
end
local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[3])
if over > 0 then
  local old = redis.call('ZRANGE', KEYS[3], 0, over - 1)
  for i = 1, #old do
    redis.call('HDEL', KEYS[2], old[i])
    redis.call('ZREM', KEYS[3], old[i])
  end
end
return 1
