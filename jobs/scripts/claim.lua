-- claim takes up one attempt of a job for one handler.
-- KEYS   1 record  2 stream  3 owed
-- ARGV   1 attempt  2 owner (process#number)  3 now ms  4 stream max
--        5 owed entry of the start (used if the record owes)  6 bell of owed
-- RETURNS  {'run', field, value, …} | {'stale'}: another attempt, or ended |
--          {'held'}: somebody has it | {'expired', field, value, …}
local r = redis.call('HMGET', KEYS[1], 'state', 'attempt', 'owner', 'expires', 'started', 'told', 'owes', 'withdrawn')
if not r[1] or final(r[1]) or r[2] ~= ARGV[1] or r[8] then return {'stale'} end
local out = function(verdict)
  local all = redis.call('HGETALL', KEYS[1])
  table.insert(all, 1, verdict)
  return all
end
if r[3] then
  -- The same handler asks again when its first answer was lost.
  if r[3] == ARGV[2] then return out('run') end
  return {'held'}
end
if r[4] and r[4] ~= '' and tonumber(r[4]) <= tonumber(ARGV[3]) then return out('expired') end
redis.call('HSET', KEYS[1], 'state', 'running', 'owner', ARGV[2], 'error', '')
if not r[5] then redis.call('HSET', KEYS[1], 'started', ARGV[3]) end
if r[7] == '1' and not r[6] then
  redis.call('HSET', KEYS[1], 'told', '1')
  owe(KEYS[3], ARGV[5], ARGV[3], ARGV[6])
end
emit(KEYS[1], KEYS[2], ARGV[4])
return out('run')
