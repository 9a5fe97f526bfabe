-- cancel asks the worker of a running job to stop. A job that nobody runs is
-- for finish.
-- KEYS   1 record
-- ARGV   1 id  2 channel that its worker listens to
-- RETURNS  {'asked'} | {'idle', attempt} | {'final', state} | {'gone'}
local r = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner')
if not r[1] then return {'gone'} end
if final(r[1]) then return {'final', r[1]} end
if not r[3] then return {'idle', r[2]} end
redis.call('HSET', KEYS[1], 'cancel', '1')
redis.call('PUBLISH', ARGV[2], ARGV[1])
return {'asked'}
