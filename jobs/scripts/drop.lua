-- drop forgets an ended job, or what is left in the indexes of one that is
-- gone.
-- KEYS   1 record  2 pointer  3 audience  4.. indexes
-- ARGV   1 index member
-- RETURNS  1 | 0: it is not ended
local state = redis.call('HGET', KEYS[1], 'state')
if state and not final(state) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
for i = 4, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
return 1
