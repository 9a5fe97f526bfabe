-- answer keeps the first answer under a key, if the request is still remembered.
-- KEYS   1 the memory of the key
-- ARGV   1 id of the request  2 the answer
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then
  redis.call('HSETNX', KEYS[1], 'answer', ARGV[2])
end
return 1
