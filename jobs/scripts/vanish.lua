-- vanish ends a fleeting job: nothing is left of it.
-- KEYS   1 record  2 open  3 asynq task of this attempt  4 asynq pending
-- ARGV   1 id  2 owner, or '' for a job that nobody runs  3 attempt  4 task id
-- RETURNS  'ok', also where there was nothing left | 'lost': another attempt or
--          owner, nothing changed
local r = redis.call('HMGET', KEYS[1], 'attempt', 'owner')
if r[1] then
  if r[1] ~= ARGV[3] or (r[2] or '') ~= ARGV[2] then return 'lost' end
  redis.call('DEL', KEYS[1])
end
redis.call('ZREM', KEYS[2], ARGV[1])
-- A host that is there and takes nothing would find them all, were they left.
if ARGV[2] == '' and redis.call('LREM', KEYS[4], 1, ARGV[4]) == 1 then redis.call('DEL', KEYS[3]) end
return 'ok'
