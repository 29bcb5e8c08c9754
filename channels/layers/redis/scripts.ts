// What runs inside of Redis, each in one step that nothing comes between. The client library sends a script in full
// once a connection and afterwards only its hash.

/** Scores are seconds since 1970 as text that reads back to the same double; what `%.17g` guarantees. */
export const scripts = {
  /**
   * KEYS: sorted sets of messages. ARGV: now, the score up to which messages are expired, the TTL in ms, and for
   * each key a member and a capacity. Returns how many keys were full.
   *
   * A message gets at least the score of the last one plus a microsecond, so that messages come out in the order in
   * which Redis accepted them although clocks tick in milliseconds and differ a little between machines. Beyond a
   * second of difference the clocks decide, as with peers that know nothing of this.
   *
   * What is expired is removed last: Redis refuses to grow beyond its `maxmemory` only in the first write of a script.
   */
  deliver: {
    lua: `
      local now, ttl = tonumber(ARGV[1]), ARGV[3]
      local full = 0
      for i, key in ipairs(KEYS) do
        local member, capacity = ARGV[2 * i + 2], tonumber(ARGV[2 * i + 3])
        if redis.call('ZCOUNT', key, '(' .. ARGV[2], '+inf') >= capacity then
          full = full + 1
        else
          local score = now
          local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
          if last then
            last = tonumber(last)
            if last >= now and last < now + 1 then score = last + 0.000001 end
          end
          redis.call('ZADD', key, string.format('%.17g', score), member)
          redis.call('PEXPIRE', key, ttl)
        end
      end
      for _, key in ipairs(KEYS) do redis.call('ZREMRANGEBYSCORE', key, '-inf', ARGV[2]) end
      return full`,
  },

  /** KEYS: a sorted set of messages. ARGV: TTL in ms, for a key that has none; score; member. */
  putBack: {
    lua: `
      redis.call('ZADD', KEYS[1], 'NX', ARGV[2], ARGV[3])
      if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end`,
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

  /** KEYS: a group. ARGV: the score up to which memberships have ended. Returns the channels, the oldest first. */
  groupMembers: {
    lua: `
      redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
      return redis.call('ZRANGE', KEYS[1], 0, -1)`,
  },
} as const;

type Arguments = [keyCount: number, ...keysAndArguments: Array<string | number | Buffer>];

/** The scripts as the client's methods. */
export interface ScriptCommands {
  deliver(...args: Arguments): Promise<number>;
  putBack(...args: Arguments): Promise<null>;
  restore(...args: Arguments): Promise<null>;
  groupAdd(...args: Arguments): Promise<null>;
  groupMembers(...args: Arguments): Promise<string[]>;
}
