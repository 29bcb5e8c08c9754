// The Lua scripts. Redis runs each in one atomic step. The client library sends a script in full once for
// each connection, and then only its hash.

import { timeOf } from './connection/server-clock.js';
import { leaseScripts, moveOver } from './lease-scripts.js';

/** Scores are seconds since 1970 as text that reads back to the same double, as `%.17g` guarantees. */
export const scripts = {
  ...leaseScripts,

  /**
   * KEYS: sorted sets of messages. ARGV: the time; the score that the sender's next message has at least; and
   * for each key: how many members; the capacity; ms until messages expire; the members. Returns for each key
   * how many were accepted: the first so many; and at last the score that the sender's next message has at
   * least.
   *
   * A message gets at least the score of the last one plus a microsecond, so that messages come out in the
   * order in which Redis accepted them although the clocks of peers differ a little. What was taken just now,
   * and comes back, comes before what the same sender sent since. Beyond a second of difference the clocks
   * decide, as with peers that know nothing of this.
   *
   * What is expired is removed last: Redis refuses to grow beyond its `maxmemory` only in the first write of
   * a script.
   */
  deliver: {
    lua: `${timeOf}
      local time, now = timeOf(ARGV[1]), tonumber(ARGV[2])
      if now <= time or now >= time + 1 then now = time end
      local nowText = string.format('%.17g', now)
      local accepted, purges, latest, at = {}, {}, now, 3
      for i, key in ipairs(KEYS) do
        local count, capacity = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
        local expiryMs = tonumber(ARGV[at + 2])
        local expired = string.format('%.17g', time - expiryMs / 1000)
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
            entries[2 * j] = ARGV[at + 2 + j]
            score = score + 0.000001
          end
          redis.call('ZADD', key, unpack(entries))
          redis.call('PEXPIRE', key, math.ceil(expiryMs))
          latest = math.max(latest, score)
        end
        accepted[i] = math.max(room, 0)
        at = at + 3 + count
      end
      for _, purge in ipairs(purges) do redis.call('ZREMRANGEBYSCORE', purge[1], '-inf', purge[2]) end
      accepted[#accepted + 1] = string.format('%.17g', latest)
      return accepted`,
  },

  /**
   * KEYS: a channel's messages and, if it may be leased, `again`, `lease` and `leased`. ARGV: how many
   * entries to take at most; ms for which entries wait after a lease. Takes those first that come again.
   * Returns members and scores from `again`, those from its messages, how many had expired, ms until the next
   * lease is over (-1: there is none), and the server's time in ms.
   */
  take: {
    lua: `${moveOver}
      local length = redis.pcall('ZCARD', KEYS[1])
      if type(length) == 'table' then return length end
      local again, expired, nextMs = {}, 0, -1
      if KEYS[2] then
        expired, nextMs = moveOver(KEYS[2], KEYS[3], KEYS[4], tonumber(ARGV[2]))
        again = redis.call('ZPOPMIN', KEYS[2], ARGV[1])
      end
      return { again, redis.call('ZPOPMIN', KEYS[1], ARGV[1] - #again / 2), expired, nextMs, now() }`,
  },

  /**
   * KEYS: a sorted set of messages; where it is noted that this was done, a sorted set as well. ARGV: TTL in
   * ms, for the note and for a key that has none; a score and a member, and so on. What comes a second time,
   * since its first reply was lost, adds nothing. What was there just now fits in again at `maxmemory`, too:
   * Redis asks about that in the first write of a script only.
   */
  putBack: {
    lua: `
      if redis.call('EXISTS', KEYS[2]) == 1 then return end
      redis.call('ZREM', KEYS[2], '')
      redis.call('ZADD', KEYS[1], 'NX', unpack(ARGV, 2))
      redis.call('ZADD', KEYS[2], 0, '')
      redis.call('PEXPIRE', KEYS[2], ARGV[1])
      if redis.call('PTTL', KEYS[1]) == -1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end`,
  },

  /**
   * KEYS: a sorted set of messages, its backup. ARGV: TTL in ms, for a key that has none; members to move
   * back.
   */
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

  /**
   * KEYS: what a blocked read waits on beside messages. ARGV: TTL in ms. Ends the read, also at `maxmemory`.
   */
  wake: {
    lua: `
      redis.call('ZREM', KEYS[1], 'wake')
      redis.call('ZADD', KEYS[1], 0, 'wake')
      redis.call('PEXPIRE', KEYS[1], ARGV[1])`,
  },

  /** KEYS: a sorted set. ARGV: the time, which is the score; TTL in ms; a member. */
  addFor: {
    lua: `${timeOf}
      redis.call('ZADD', KEYS[1], string.format('%.17g', timeOf(ARGV[1])), ARGV[3])
      redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
  },

  /**
   * KEYS: a group. ARGV: the time; ms until a membership ends. Removes those that have ended, returns the
   * others.
   */
  membersOf: {
    lua: `${timeOf}
      local ended = string.format('%.17g', timeOf(ARGV[1]) - ARGV[2] / 1000)
      redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ended)
      return redis.call('ZRANGE', KEYS[1], 0, -1)`,
  },

  /**
   * KEYS: sorted sets. Returns the server's time in ms, then for each its length and lowest score; nothing
   * for a key that is none.
   */
  measure: {
    lua: `${moveOver}
      local found = {}
      for i, key in ipairs(KEYS) do
        found[i] = {}
        if redis.call('TYPE', key).ok == 'zset' then
          found[i] = { redis.call('ZCARD', key), redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] }
        end
      end
      return { now(), unpack(found) }`,
  },
} as const;

type Arguments = [keyCount: number, ...keysAndArguments: Array<string | number | Buffer>];

/** The scripts as methods of the client. */
export interface ScriptCommands {
  deliver(...args: Arguments): Promise<Array<number | string>>;
  takeBuffer(
    ...args: Arguments
  ): Promise<[again: Buffer[], messages: Buffer[], expired: number, nextMs: number, serverMs: number]>;
  putBack(...args: Arguments): Promise<null>;
  restore(...args: Arguments): Promise<null>;
  wake(...args: Arguments): Promise<null>;
  addFor(...args: Arguments): Promise<null>;
  membersOf(...args: Arguments): Promise<string[]>;
  measure(
    ...args: Arguments
  ): Promise<[serverMs: number, ...found: Array<[] | [length: number, lowest?: string]>]>;
  leaseBuffer(
    ...args: Arguments
  ): Promise<[expired: number, nextMs: number, entries: Buffer[], dead: Buffer[]]>;
  acknowledge(...args: Arguments): Promise<number>;
  extend(...args: Arguments): Promise<number>;
  release(...args: Arguments): Promise<number>;
  bury(...args: Arguments): Promise<number>;
  redrive(...args: Arguments): Promise<number>;
}
