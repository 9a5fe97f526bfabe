-- claim takes up one attempt of a job for one handler.
-- KEYS   1 record  2 stream  3 owed
-- ARGV   1 attempt  2 owner (process#number)  3 now ms  4 stream max
--        5 owed entry of the start without its run, which is added (used if the
--        record owes)  6 bell of owed
-- RETURNS  {'run', field, value, …}, where a field stands twice the later counts |
--          {'stale'}: another attempt, or ended |
--          {'held'}: somebody has it | {'expired', field, value, …}
local all = redis.call('HGETALL', KEYS[1])
local r = {}
for i = 1, #all, 2 do r[all[i]] = all[i + 1] end
if not r.state or final(r.state) or r.withdrawn or r.attempt ~= ARGV[1] then return {'stale'} end
local out = function(verdict)
  table.insert(all, 1, verdict)
  return all
end
if r.owner then
  -- The same handler asks again when its first answer was lost.
  if r.owner == ARGV[2] then return out('run') end
  return {'held'}
end
if r.expires and r.expires ~= '' and tonumber(r.expires) <= tonumber(ARGV[3]) then return out('expired') end
local set = {'state', 'running', 'owner', ARGV[2], 'error', ''}
local owes = r.owes == '1' and not r.told
if not r.started then set[7], set[8] = 'started', ARGV[3] end
if owes then set[#set + 1], set[#set + 2] = 'told', '1' end
redis.call('HSET', KEYS[1], unpack(set))
if owes then owe(KEYS[3], ARGV[5] .. r.run, ARGV[3], ARGV[6]) end
for i = 1, #set, 2 do
  r[set[i]] = set[i + 1]
  all[#all + 1], all[#all + 2] = set[i], set[i + 1]
end
if not r.fleeting then tell(r, KEYS[2], ARGV[4]) end
return out('run')
