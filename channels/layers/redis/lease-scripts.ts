// Leases on Redis, under keys that Python peers do not read. For a channel `chat`, after the layer's prefix:
//
//   :lease:chat    sorted set: the ids of what is on lease, by the end of each lease in ms of the server's own clock
//   :leased:chat   hash: an entry for each id
//   :again:chat    sorted set: entries that come again, by the time when they were first sent; read before `chat`
//
// An entry is the time of sending (a big-endian double, in seconds), the number of deliveries (32 bits) and
// the member as it was under `chat`. Each delivery has a new id.

import { timeOf } from './connection/server-clock.js';

/** A process key has no leases. */
export interface ChannelKeys {
  /** The channel, or the process-specific key, without the layer's prefix. */
  readonly channel: string;
  readonly messages: string;
  readonly again?: string;
  readonly lease?: string;
  readonly leased?: string;
}

export type LeaseKeys = Required<ChannelKeys>;

/** Channel names contain no `:`, so the other keys cannot be those of channels. */
export function leaseKeys(prefix: string, channel: string): LeaseKeys {
  return {
    channel,
    messages: prefix + channel,
    again: `${prefix}:again:${channel}`,
    lease: `${prefix}:lease:${channel}`,
    leased: `${prefix}:leased:${channel}`,
  };
}

/** Decodes an entry; `score` is the time of sending, in seconds since 1970. */
export function readEntry(entry: Buffer): { score: number; deliveries: number; member: Buffer } {
  return { score: entry.readDoubleBE(0), deliveries: entry.readUInt32BE(8), member: entry.subarray(12) };
}

/** Moves messages whose lease is over to `again`. This wakes waiters as a new message does. */
export const moveOver = `
  local function now()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
  end
  local function addAgain(again, entry, expiryMs)
    redis.call('ZADD', again, string.format('%.17g', (struct.unpack('>d', entry))), entry)
    redis.call('PEXPIRE', again, expiryMs)
  end
  local function takeOut(lease, leased, id)
    if redis.call('ZREM', lease, id) == 0 then return nil end
    local entry = redis.call('HGET', leased, id)
    redis.call('HDEL', leased, id)
    return entry
  end
  local function keepFor(key, ms)
    if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
  end
  local function moveOver(again, lease, leased, expiryMs)
    local first = redis.call('ZRANGE', lease, 0, 0, 'WITHSCORES')[2]
    if not first then return 0, -1 end
    local instant, expired = now(), 0
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', lease, '-inf', instant - expiryMs, 'LIMIT', 0, 1000)) do
      takeOut(lease, leased, id)
      expired = expired + 1
    end
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', lease, '-inf', instant, 'LIMIT', 0, 1000)) do
      local entry = takeOut(lease, leased, id)
      if entry then addAgain(again, entry, expiryMs) end
    end
    first = redis.call('ZRANGE', lease, 0, 0, 'WITHSCORES')[2]
    return expired, first and math.max(0, first - instant) or -1
  end`;

/** Adds a member at the end of the queue. */
const addLast = `${timeOf}
  local function expiredAt(now, expiryMs) return string.format('%.17g', now - expiryMs / 1000) end
  local function addLast(key, member, now, ttl)
    local score = now
    local last = tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2])
    if last and last >= score and last < score + 1 then score = last + 0.000001 end
    redis.call('ZADD', key, string.format('%.17g', score), member)
    redis.call('PEXPIRE', key, ttl)
  end`;

export const leaseScripts = {
  /**
   * KEYS: a channel's messages, `again`, `lease`, `leased`. ARGV: how many at most; ms of the lease; bytes
   * that begin the ids; how often an entry may be handed out (0: for ever); ms until messages expire, and for
   * which entries wait after a lease; the time. Hands entries out, those first that come again. What was
   * handed out too often is handed to this caller as well, for it to be buried. A script that fails is not
   * undone: whatever rights are missing shows before anything is taken.
   *
   * Returns how many had expired; ms until the next lease is over (-1: there is none); the entries; those to
   * be buried. The ids end in 1, 2, … (32 bits) over both.
   */
  lease: {
    lua: `${moveOver}${timeOf}
      local messages, again, lease, leased = unpack(KEYS)
      local limit, leaseMs, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
      local mostDeliveries, expiryMs = tonumber(ARGV[4]), tonumber(ARGV[5])
      local expiredScore = timeOf(ARGV[6]) - expiryMs / 1000
      local ends = string.format('%.0f', now() + leaseMs)
      redis.call('HDEL', leased, '')
      local expired, nextMs = moveOver(again, lease, leased, expiryMs)
      local entries, dead = {}, {}
      while #entries < limit do
        local popped = redis.call('ZPOPMIN', again, limit - #entries)
        if #popped == 0 then break end
        for i = 1, #popped, 2 do
          local score, deliveries = struct.unpack('>dI4', popped[i])
          if mostDeliveries > 0 and deliveries >= mostDeliveries then dead[#dead + 1] = popped[i]
          else entries[#entries + 1] = struct.pack('>dI4', score, deliveries + 1) .. string.sub(popped[i], 13) end
        end
      end
      while #entries < limit do
        local popped = redis.call('ZPOPMIN', messages, limit - #entries)
        if #popped == 0 then break end
        for i = 1, #popped, 2 do
          local score = tonumber(popped[i + 1])
          if score <= expiredScore then expired = expired + 1
          else entries[#entries + 1] = struct.pack('>dI4', score, 1) .. popped[i] end
        end
      end
      local n = 0
      for _, list in ipairs({ entries, dead }) do
        for _, entry in ipairs(list) do
          n = n + 1
          local id = token .. struct.pack('>I4', n)
          redis.call('ZADD', lease, ends, id)
          redis.call('HSET', leased, id, entry)
        end
      end
      if n > 0 then
        keepFor(lease, leaseMs + expiryMs)
        keepFor(leased, leaseMs + expiryMs)
      end
      return { expired, nextMs, entries, dead }`,
  },

  /** KEYS: `lease`, `leased`. ARGV: an id. Returns 1 if it was on lease and is done with, else 0. */
  acknowledge: {
    lua: `
      redis.call('HDEL', KEYS[2], ARGV[1])
      return redis.call('ZREM', KEYS[1], ARGV[1])`,
  },

  /**
   * KEYS: `lease`, `leased`. ARGV: an id; ms of the lease from now on; ms for which entries wait after a
   * lease. Returns 1 if it was on lease, else 0. It works also at `maxmemory`, which Redis asks about in the
   * first write only.
   */
  extend: {
    lua: `${moveOver}
      if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
      redis.call('HDEL', KEYS[2], '')
      redis.call('ZADD', KEYS[1], string.format('%.0f', now() + ARGV[2]), ARGV[1])
      keepFor(KEYS[1], ARGV[2] + ARGV[3])
      keepFor(KEYS[2], ARGV[2] + ARGV[3])
      return 1`,
  },

  /**
   * KEYS: `again`, `lease`, `leased`. ARGV: an id; how many of its deliveries do not count (0 or 1); ms for
   * which entries wait after a lease. Returns 1 if it was on lease, else 0.
   */
  release: {
    lua: `${moveOver}
      local entry = takeOut(KEYS[2], KEYS[3], ARGV[1])
      if not entry then return 0 end
      local score, deliveries = struct.unpack('>dI4', entry)
      local less = math.max(0, deliveries - ARGV[2])
      addAgain(KEYS[1], struct.pack('>dI4', score, less) .. string.sub(entry, 13), tonumber(ARGV[3]))
      return 1`,
  },

  /**
   * KEYS: `lease`, `leased`, a dead-letter channel's messages. ARGV: an id; the dead letter's member; the
   * channel's capacity; the time; ms until messages expire. Replaces the leased message with the letter.
   * Returns how many dead letters had to go for it, -1 when the id was not on lease any more.
   */
  bury: {
    lua: `${addLast}
      if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return -1 end
      redis.call('HDEL', KEYS[2], ARGV[1])
      local now = timeOf(ARGV[4])
      redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', expiredAt(now, ARGV[5]))
      local tooMany = math.max(0, redis.call('ZCARD', KEYS[3]) - ARGV[3] + 1)
      if tooMany > 0 then redis.call('ZPOPMIN', KEYS[3], tooMany) end
      addLast(KEYS[3], ARGV[2], now, ARGV[5])
      return tooMany`,
  },

  /**
   * KEYS: a dead-letter channel's messages, those of its channel. ARGV: the channel's capacity; the time; ms
   * until messages expire; a dead letter's member and that of its message, and so on. Puts messages
   * in the queue for their dead letters while there is room. Returns how many.
   */
  redrive: {
    lua: `${addLast}
      local now = timeOf(ARGV[2])
      redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', expiredAt(now, ARGV[3]))
      local room, moved = ARGV[1] - redis.call('ZCARD', KEYS[2]), 0
      for i = 4, #ARGV, 2 do
        if moved < room and redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
          addLast(KEYS[2], ARGV[i + 1], now, ARGV[3])
          moved = moved + 1
        end
      end
      return moved`,
  },
} as const;
