-- drop forgets an ended job, or what is left in the indexes of one that is
-- gone.
-- KEYS   1 record  2 audience  3.. indexes
-- ARGV   1 index member
-- RETURNS  1 | 0: it is not ended
-- What is no hash is no record, whoever put it there.
local state = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HGET', KEYS[1], 'state')
if state and not final(state) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
for i = 3, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
return 1
