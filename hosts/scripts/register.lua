-- register takes a host's name for a machine, or says that its process is
-- alive.
-- KEYS   1 registration  2 info  3 hosts
-- ARGV   1 machine  2 process  3 'claim' | 'beat'  4 now ms  5 ms until which it
--        is believed alive  6 server_ip  7 info  8 name
-- A claim takes the name unless another machine that has it is alive. A beat
-- never takes it: whoever finds another process there was replaced.
-- RETURNS  {'ok', machine that had it, or ''} |
--          {'taken', its server_ip, since when in ms}
local r = redis.call('HMGET', KEYS[1], 'machine', 'process', 'until', 'since', 'server_ip', 'removing')
local since = ARGV[4]
if r[1] == ARGV[1] then since = r[4] end
if r[1] then
  local taken = r[1] ~= ARGV[1] or r[2] ~= ARGV[2]
  if ARGV[3] == 'claim' then taken = r[1] ~= ARGV[1] and tonumber(r[3]) > tonumber(ARGV[4]) end
  if taken then return {'taken', r[5], r[4]} end
  if ARGV[3] == 'beat' and not r[6] then
    -- As it mostly is: all else stands there already.
    redis.call('HSET', KEYS[1], 'until', ARGV[5])
    redis.call('SET', KEYS[2], ARGV[7])
    return {'ok', r[1]}
  end
end
redis.call('HSET', KEYS[1], 'machine', ARGV[1], 'process', ARGV[2], 'until', ARGV[5], 'since', since, 'server_ip', ARGV[6])
redis.call('HDEL', KEYS[1], 'removing')
redis.call('SET', KEYS[2], ARGV[7])
redis.call('SADD', KEYS[3], ARGV[8])
return {'ok', r[1] or ''}
