-- pushed notes what became of a push: the document, and the outcome of each
-- post in a ring of the receiver's. What was kept of receivers that are none any
-- more goes.
-- KEYS   1 pushes  2 event stream
-- ARGV   1 id  2 at ms  3 document  4 outcomes kept of each receiver
--        5 stream max  6 kind of the event  7 field of the kind  8 of the event
--        9 names of all receivers, each in spaces  10.. for each: name, 'ok' or
--        'failed', outcome, event if that is news
-- RETURNS  names of those for which it was news
-- What is no hash there says nothing, whoever put it there.
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
local before = redis.call('HMGET', KEYS[1], 'id', 'receivers')
-- A repeated call whose first answer was lost.
if before[1] == ARGV[1] then return {} end
for name in string.gmatch(before[2] or '', '%S+') do
  if not string.find(ARGV[9], ' ' .. name .. ' ', 1, true) then
    local gone = {'state:' .. name, 'count:' .. name}
    for i = 0, ARGV[4] - 1 do gone[#gone + 1] = 'outcome:' .. name .. ':' .. i end
    redis.call('HDEL', KEYS[1], unpack(gone))
  end
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'at', ARGV[2], 'document', ARGV[3], 'receivers', ARGV[9])
local news = {}
for i = 10, #ARGV, 4 do
  local name, state = ARGV[i], ARGV[i + 1]
  local n = redis.call('HINCRBY', KEYS[1], 'count:' .. name, 1)
  local was = redis.call('HGET', KEYS[1], 'state:' .. name) or 'ok'
  redis.call('HSET', KEYS[1], 'outcome:' .. name .. ':' .. (n % ARGV[4]), ARGV[i + 2], 'state:' .. name, state)
  if was ~= state then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', ARGV[7], ARGV[6], ARGV[8], ARGV[i + 3])
    news[#news + 1] = name
  end
end
return news
