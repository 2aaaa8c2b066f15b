/**
 * A key holds a hash: `v` the version as decimal text, `d` the data, or `x` instead of `d` for a
 * tombstone. The scripts may run twice (ioredis sends commands in flight again after a reconnect),
 * so they are idempotent: the higher version wins, whoever comes last. Anything else counts as
 * absent.
 */

/**
 * KEYS[1]; ARGV: version, lifetime in ms, 'd' or 'x', data. 1 when stored, 0 when the key already
 * holds this version or a higher one. Versions are compared as text: Lua's numbers are doubles.
 */
export const SET_IF_NEWER = `
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local held = redis.call('HMGET', KEYS[1], 'v', 'd', 'x')
local version = held[1]
local isWhole = version and string.match(version, '^%d+$') and (held[2] or held[3])
if isWhole then
  local new = ARGV[1]
  if #version > #new or (#version == #new and version >= new) then return 0 end
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'v', ARGV[1], ARGV[3], ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`

/** KEYS[1]; ARGV: version as read, '' for none. Deletes what cannot be read unless replaced. */
export const DELETE_IF_BROKEN = `
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind == 'none' then return 0 end
if kind == 'hash' and (redis.call('HGET', KEYS[1], 'v') or '') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`
