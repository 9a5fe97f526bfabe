-- withdraw keeps a job from running whose request was refused, since its
-- acceptance could not be confirmed: unless a handler or another request has
-- come to rely on it.
-- KEYS   1 record  2 idempotency (stands for the record where unused)
-- ARGV   1 id
-- RETURNS  'ok': claim and join take it for ended; finish it |
--          'gone': it was never taken, or has ended | 'kept'
local r = redis.call('HMGET', KEYS[1], 'state', 'owner', 'joined', 'attempt')
if not r[1] or final(r[1]) then return 'gone' end
if r[2] or r[3] or r[4] ~= '1' then return 'kept' end
if KEYS[2] ~= KEYS[1] then
  local f = redis.call('HMGET', KEYS[2], 'job', 'replayed')
  if f[1] == ARGV[1] then
    if f[2] then return 'kept' end
    redis.call('DEL', KEYS[2])
  end
end
redis.call('HSET', KEYS[1], 'withdrawn', '1')
return 'ok'
