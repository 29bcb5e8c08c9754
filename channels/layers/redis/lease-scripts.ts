// Leases as Redis keeps them, under keys of our own that Python peers never look at. For a channel `chat`, with the
// layer's prefix before it:
//
//   :lease:chat    sorted set: the ids of what is on lease, by the end of each lease in ms of the server's own clock
//   :leased:chat   hash: an entry for each id
//   :again:chat    sorted set: entries that come again, by the time when they were first sent; read before `chat`
//
// An entry is the time of sending (a big-endian double, in seconds), how many times it was handed out (32 bits) and
// the member as it lay under `chat`. An id is made anew for every handing-out, so that it names that one only.

/** Bytes before the member in an entry. */
export const entryHeaderBytes = 12;

/** Moves what is over from the leases to what comes again. Whoever waits is woken by that, as by a new message. */
const moveOver = `
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
  local function moveOver(again, lease, leased, expiryMs)
    local instant, expired = now(), 0
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', lease, '-inf', instant - expiryMs, 'LIMIT', 0, 1000)) do
      takeOut(lease, leased, id)
      expired = expired + 1
    end
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', lease, '-inf', instant, 'LIMIT', 0, 1000)) do
      local entry = takeOut(lease, leased, id)
      if entry then addAgain(again, entry, expiryMs) end
    end
    local first = redis.call('ZRANGE', lease, 0, 0, 'WITHSCORES')[2]
    return expired, first and math.max(0, first - instant) or -1
  end
  local function keepFor(key, ms)
    if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
  end`;

export const leaseScripts = {
  /**
   * KEYS: a channel's messages, `again`, `lease`, `leased`. ARGV: how many at most; ms of the lease; bytes that begin
   * the ids; how often an entry may be handed out (0: for ever); ms for which entries wait after a lease; the score up
   * to which messages are expired. Hands entries out, those first that come again. What was handed out too often is
   * handed to this caller as well, for it to be buried.
   *
   * Returns three lists: how many had expired, and ms until the next lease is over (-1: there is none); the
   * entries; those to be buried. The ids end in 1, 2, … (32 bits) over both.
   */
  lease: {
    lua: `${moveOver}
      local messages, again, lease, leased = unpack(KEYS)
      local limit, leaseMs, token = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
      local mostDeliveries, expiryMs, expiredScore = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
      local expired, nextMs = moveOver(again, lease, leased, expiryMs)
      local entries, dead = {}, {}
      while #entries < limit do
        local popped = redis.call('ZPOPMIN', again, limit - #entries)
        if #popped == 0 then break end
        for i = 1, #popped, 2 do
          local score, deliveries = struct.unpack('>dI4', popped[i])
          local header, member = struct.pack('>d', score), string.sub(popped[i], 13)
          if mostDeliveries > 0 and deliveries >= mostDeliveries then
            dead[#dead + 1] = popped[i]
          else
            entries[#entries + 1] = header .. struct.pack('>I4', deliveries + 1) .. member
          end
        end
      end
      while #entries < limit do
        local popped = redis.call('ZPOPMIN', messages, limit - #entries)
        if #popped == 0 then break end
        for i = 1, #popped, 2 do
          local score = tonumber(popped[i + 1])
          if score <= expiredScore then
            expired = expired + 1
          else
            entries[#entries + 1] = struct.pack('>dI4', score, 1) .. popped[i]
          end
        end
      end
      if #entries + #dead > 0 then
        local ends = string.format('%.0f', now() + leaseMs)
        local ids, fields, n = {}, {}, 0
        local function write()
          if #ids == 0 then return end
          redis.call('ZADD', lease, unpack(ids))
          redis.call('HSET', leased, unpack(fields))
          ids, fields = {}, {}
        end
        local function hand(entry)
          n = n + 1
          local id = token .. struct.pack('>I4', n)
          ids[#ids + 1], ids[#ids + 2] = ends, id
          fields[#fields + 1], fields[#fields + 2] = id, entry
          if #ids == 2000 then write() end
        end
        for _, entry in ipairs(entries) do hand(entry) end
        for _, entry in ipairs(dead) do hand(entry) end
        write()
        keepFor(lease, leaseMs + expiryMs)
        keepFor(leased, leaseMs + expiryMs)
      end
      return { { expired, nextMs }, entries, dead }`,
  },

  /**
   * KEYS: `again`, `lease`, `leased`. ARGV: ms for which entries wait after a lease. Returns how many had expired and ms
   * until the next lease is over (-1: there is none).
   */
  comeAgain: {
    lua: `${moveOver}
      local again, lease, leased = unpack(KEYS)
      return { moveOver(again, lease, leased, tonumber(ARGV[1])) }`,
  },

  /** KEYS: `lease`, `leased`. ARGV: ids. Returns for each 1 if it was on lease and is done with, else 0. */
  acknowledge: {
    lua: `
      local done = {}
      for i, id in ipairs(ARGV) do
        done[i] = redis.call('ZREM', KEYS[1], id)
        if done[i] == 1 then redis.call('HDEL', KEYS[2], id) end
      end
      return done`,
  },

  /**
   * KEYS: `lease`, `leased`. ARGV: ms for which entries wait after a lease; an id and ms of the lease from now on, and
   * so on. Returns for each 1 if it was on lease, else 0.
   */
  extend: {
    lua: `${moveOver}
      local done = {}
      for i = 2, #ARGV, 2 do
        local isLeased = redis.call('ZSCORE', KEYS[1], ARGV[i])
        if isLeased then
          redis.call('ZADD', KEYS[1], string.format('%.0f', now() + ARGV[i + 1]), ARGV[i])
          keepFor(KEYS[1], ARGV[i + 1] + ARGV[1])
          keepFor(KEYS[2], ARGV[i + 1] + ARGV[1])
        end
        done[#done + 1] = isLeased and 1 or 0
      end
      return done`,
  },

  /**
   * KEYS: `again`, `lease`, `leased`. ARGV: ms for which entries wait after a lease; an id and how many of its deliveries
   * do not count (0 or 1), and so on. Returns for each 1 if it was on lease, else 0.
   */
  release: {
    lua: `${moveOver}
      local done = {}
      for i = 2, #ARGV, 2 do
        local entry = takeOut(KEYS[2], KEYS[3], ARGV[i])
        if entry then
          local score, deliveries = struct.unpack('>dI4', entry)
          local less = math.max(0, deliveries - ARGV[i + 1])
          addAgain(KEYS[1], struct.pack('>dI4', score, less) .. string.sub(entry, 13), tonumber(ARGV[1]))
        end
        done[#done + 1] = entry and 1 or 0
      end
      return done`,
  },

  /**
   * KEYS: `lease`, `leased`, a dead-letter channel's messages. ARGV: an id; the dead letter's member; the channel's
   * capacity; now; the score up to which messages are expired; the TTL in ms. Puts the letter in the place of what is
   * on lease. Returns how many dead letters had to go for it, -1 when the id was not on lease any more.
   */
  bury: {
    lua: `
      if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return -1 end
      redis.call('HDEL', KEYS[2], ARGV[1])
      redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[5])
      local tooMany = math.max(0, redis.call('ZCARD', KEYS[3]) - ARGV[3] + 1)
      if tooMany > 0 then redis.call('ZPOPMIN', KEYS[3], tooMany) end
      local score = tonumber(ARGV[4])
      local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')[2]
      if last then
        last = tonumber(last)
        if last >= score and last < score + 1 then score = last + 0.000001 end
      end
      redis.call('ZADD', KEYS[3], string.format('%.17g', score), ARGV[2])
      redis.call('PEXPIRE', KEYS[3], ARGV[6])
      return tooMany`,
  },

  /**
   * KEYS: a dead-letter channel's messages, those of its channel. ARGV: the channel's capacity; now; the score up to
   * which messages are expired; the TTL in ms; a dead letter's member and that of its message, and so on. Puts messages
   * in the place of their dead letters while there is room. Returns how many.
   */
  redrive: {
    lua: `
      redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
      local room = ARGV[1] - redis.call('ZCARD', KEYS[2])
      local score = tonumber(ARGV[2])
      local last = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
      if last then
        last = tonumber(last)
        if last >= score and last < score + 1 then score = last + 0.000001 end
      end
      local moved = 0
      for i = 5, #ARGV, 2 do
        if moved < room and redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then
          redis.call('ZADD', KEYS[2], string.format('%.17g', score), ARGV[i + 1])
          score = score + 0.000001
          moved = moved + 1
        end
      end
      if moved > 0 then redis.call('PEXPIRE', KEYS[2], ARGV[4]) end
      return moved`,
  },
} as const;
