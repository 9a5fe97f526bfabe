-- turn goes on with the turn that begin gave, or ends it.
-- KEYS   1 answer
-- ARGV   1 who has the turn  2 'extend' | 'keep' | 'forget'
--        extend:  3 ms until which it is believed under way
--        keep:    3 status  4 header  5 body  6 ms that they are remembered
-- RETURNS  'ok' | 'lost': it was taken for dead, and another has the turn
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 'lost' end
if ARGV[2] == 'extend' then
  redis.call('HSET', KEYS[1], 'until', ARGV[3])
elseif ARGV[2] == 'keep' then
  redis.call('HSET', KEYS[1], 'status', ARGV[3], 'header', ARGV[4], 'body', ARGV[5])
  redis.call('HDEL', KEYS[1], 'owner', 'until')
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
else
  redis.call('DEL', KEYS[1])
end
return 'ok'
