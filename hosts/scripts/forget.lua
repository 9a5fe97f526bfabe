-- forget ends the removal of a host.
-- KEYS   1 registration  2 hosts  3.. what else is kept of it
-- ARGV   1 name
-- RETURNS  'ok' | 'back': it has registered again
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' or redis.call('HEXISTS', KEYS[1], 'removing') == 0 then
  if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return 'back' end
  return 'ok'
end
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[1], unpack(KEYS, 3))
return 'ok'
