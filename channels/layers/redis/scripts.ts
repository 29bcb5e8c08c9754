// What runs inside of Redis, each in one step that nothing comes between. The client library sends a script in full
// once a connection and afterwards only its hash.

import { leaseScripts } from './lease-scripts.js';

/**
 * Files members under the keys `from` onwards, with the arguments from `at` onwards, of which the first is now; returns
 * what `deliver` returns.
 */
const deliverLua = `
  local function deliver(from, at)
    local now = tonumber(ARGV[at])
    local nowText = ARGV[at]
    local accepted, purges, latest = {}, {}, now
    at = at + 1
    for i = from, #KEYS do
      local key = KEYS[i]
      local count, capacity = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
      local expired, ttl = ARGV[at + 2], ARGV[at + 3]
      local size, gone = redis.call('ZCARD', key), 0
      if size > 0 then gone = redis.call('ZCOUNT', key, '-inf', expired) end
      if gone > 0 then purges[#purges + 1] = { key, expired } end
      local room = math.min(count, capacity - size + gone)
      if room > 0 then
        local score = now
        if size > 0 and redis.call('ZCOUNT', key, nowText, '+inf') > 0 then
          local last = tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2])
          if last < now + 1 then score = last + 0.000001 end
        end
        local entries = {}
        for j = 1, room do
          entries[2 * j - 1] = string.format('%.17g', score)
          entries[2 * j] = ARGV[at + 3 + j]
          score = score + 0.000001
        end
        redis.call('ZADD', key, unpack(entries))
        redis.call('PEXPIRE', key, ttl)
        latest = math.max(latest, score)
      end
      accepted[#accepted + 1] = math.max(room, 0)
      at = at + 4 + count
    end
    for _, purge in ipairs(purges) do redis.call('ZREMRANGEBYSCORE', purge[1], '-inf', purge[2]) end
    accepted[#accepted + 1] = math.ceil((latest - now) * 1000000)
    return accepted
  end`;

/**
 * Writes the group's channels into the messages for their processes, which end where the names begin, as MessagePack has them.
 * `at` is that of `deliver`, and each key has one message. Returns false when other processes have members than those whose keys
 * are given. What begins like the last name is of the same process: to cut the key out of each name would take twice as long.
 */
const completeLua = `
  local function textHeader(size)
    if size < 32 then return string.char(160 + size) end
    if size < 256 then return string.char(217, size) end
    return string.char(218, math.floor(size / 256), size % 256)
  end
  local function listHeader(size)
    if size < 16 then return string.char(144 + size) end
    if size < 65536 then return string.char(220, math.floor(size / 256), size % 256) end
    return string.char(221, 0, math.floor(size / 65536), math.floor(size / 256) % 256, size % 256)
  end
  local function complete(members, prefix, at)
    local find, messages = string.find, {}
    for i = 2, #KEYS do messages[KEYS[i]] = { ARGV[at + 5 * (i - 1)], '' } end
    local process, message, length, size, header = ' ', nil, 0, -1, nil
    for i = 1, #members do
      local name = members[i]
      if find(name, process, 1, true) ~= 1 then
        local bang = find(name, '!', 1, true)
        message = messages[prefix .. (bang and string.sub(name, 1, bang) or name)]
        if not message then return false end
        process = bang and string.sub(name, 1, bang) or ' '
        length = #message
      end
      if #name ~= size then
        size = #name
        header = textHeader(size)
      end
      message[length + 1] = header
      message[length + 2] = name
      length = length + 2
    end
    for i = 2, #KEYS do
      local message = messages[KEYS[i]]
      if #message == 2 then return false end
      message[2] = listHeader(#message / 2 - 1)
      ARGV[at + 5 * (i - 1)] = table.concat(message)
    end
    return true
  end`;

/** Scores are seconds since 1970 as text that reads back to the same double; what `%.17g` guarantees. */
export const scripts = {
  ...leaseScripts,

  /** KEYS: any. Returns for each how many members it has and the lowest score; nothing for what is no sorted set. */
  measure: {
    lua: `
      local found = {}
      for i, key in ipairs(KEYS) do
        found[i] = {}
        if redis.call('TYPE', key).ok == 'zset' then
          found[i] = { redis.call('ZCARD', key), redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] }
        end
      end
      return found`,
  },

  /**
   * KEYS: sorted sets of messages. ARGV: now, and for each key: how many members; the capacity; the score up to which
   * messages are expired; the TTL in ms; the members. Returns for each key how many were accepted: the first so many;
   * and at last by how many microseconds the next message has to be later than now to come after all of these.
   *
   * A message gets at least the score of the last one plus a microsecond, so that messages come out in the order in
   * which Redis accepted them although clocks tick in milliseconds and differ a little between machines. Beyond a
   * second of difference the clocks decide, as with peers that know nothing of this.
   *
   * What is expired is removed last: Redis refuses to grow beyond its `maxmemory` only in the first write of a script.
   *
   * Counting is cheap, reading a member for its score is not where members are large; and mostly there is nothing under
   * a key, or nothing expired, or nothing later than now.
   */
  deliver: {
    lua: `${deliverLua}
      return deliver(1, 1)`,
  },

  /**
   * KEYS: a group, and as for `deliver`. ARGV: the score up to which memberships have ended; the channels that the sender takes
   * for the group's members, one a line, the oldest first, or nothing when the messages are to be completed with the names of those
   * that are; what the keys of messages begin with; and as for `deliver`. When the members, or their processes, are as the sender thinks,
   * returns 1 and what `deliver` returns; else delivers nothing and returns 0 and the channels that are.
   *
   * Redis spends a nanosecond on each byte of each text that a script gets, makes or reads, since Lua keeps only one of equal texts. So names that
   * the message carries anyway should not be sent along.
   */
  deliverToGroup: {
    lua: `${deliverLua}${completeLua}
      local members, isKnown = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. ARGV[1], '+inf'), false
      if ARGV[2] == '' then isKnown = complete(members, ARGV[3], 4)
      else isKnown = table.concat(members, '\\n') == ARGV[2] end
      if isKnown then return { 1, deliver(2, 4) } end
      redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
      return { 0, members }`,
  },

  /**
   * KEYS: a sorted set of messages; where it is noted that this was done, as a sorted set, since more rights than for those a
   * user of the layer need not have. ARGV: TTL in ms, for the note and for a key that
   * has none; a score and a member, and so on. What comes a second time, since its first reply was lost, adds nothing.
   */
  putBack: {
    lua: `
      if redis.call('EXISTS', KEYS[2]) == 1 then return end
      redis.call('ZADD', KEYS[1], 'NX', unpack(ARGV, 2))
      redis.call('ZADD', KEYS[2], 0, '')
      redis.call('PEXPIRE', KEYS[2], ARGV[1])
      if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end`,
  },

  /**
   * KEYS: sorted sets. ARGV: how many entries. Takes so many at most from the first, then from the next. Returns for
   * each key its members and scores.
   */
  pop: {
    lua: `
      local left = tonumber(ARGV[1])
      local popped = {}
      for i, key in ipairs(KEYS) do
        popped[i] = left > 0 and redis.call('ZPOPMIN', key, left) or {}
        left = left - #popped[i] / 2
      end
      return popped`,
  },

  /** KEYS: a sorted set of messages, its backup. ARGV: TTL in ms, for a key that has none; members to move back. */
  restore: {
    lua: `
      for i = 2, #ARGV do
        local score = redis.call('ZSCORE', KEYS[2], ARGV[i])
        if score then
          redis.call('ZREM', KEYS[2], ARGV[i])
          redis.call('ZADD', KEYS[1], score, ARGV[i])
        end
      end
      if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end`,
  },

  /** KEYS: a group. ARGV: now, TTL in ms, a channel. */
  groupAdd: {
    lua: `
      redis.call('ZADD', KEYS[1], ARGV[1], ARGV[3])
      redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
  },
} as const;

type Arguments = [keyCount: number, ...keysAndArguments: Array<string | number | Buffer>];

/** The scripts as the client's methods. */
export interface ScriptCommands {
  deliver(...args: Arguments): Promise<number[]>;
  deliverToGroup(
    ...args: Arguments
  ): Promise<[isDelivered: 1, outcome: number[]] | [isDelivered: 0, members: string[]]>;
  popBuffer(...args: Arguments): Promise<Buffer[][]>;
  leaseBuffer(...args: Arguments): Promise<[status: [number, number], entries: Buffer[], dead: Buffer[]]>;
  comeAgain(...args: Arguments): Promise<[expired: number, nextMs: number]>;
  acknowledge(...args: Arguments): Promise<number[]>;
  extend(...args: Arguments): Promise<number[]>;
  release(...args: Arguments): Promise<number[]>;
  bury(...args: Arguments): Promise<number>;
  redrive(...args: Arguments): Promise<number>;
  putBack(...args: Arguments): Promise<null>;
  restore(...args: Arguments): Promise<null>;
  groupAdd(...args: Arguments): Promise<null>;
  measure(...args: Arguments): Promise<Array<[] | [length: number, lowest?: string]>>;
}
