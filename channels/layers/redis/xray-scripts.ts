// What the X-ray keeps on Redis, under keys of our own that Python peers never look at. With the
// layer's prefix before it:
//
//   :xray:channel:chat   hash: what was counted of the channel `chat`, by all processes that report to this host
//   :xray:processes      sorted set: ids of processes, by when they were last seen in ms of the server's own clock
//   :xray:process:ID     hash: what a process said of itself last
//   :xray:events:ID      list: the pieces of events that it left for traces
//   :xray:question       when somebody last asked for events

export const xrayScripts = {
  /**
   * KEYS: `processes`, `process`, `events`, `question`, and a `channel` for each that was counted. ARGV: the process's
   * id; the number of the report; the process's identity; what it receives; whether it holds events that it does not
   * leave, is closed, and leaves events now (0 or 1 each); these; how many earlier pieces stay; ms for which events,
   * and counts, are kept; how many processes are known at most; five counts for each channel. Returns whether somebody
   * asked for events since the process last left all that it has.
   *
   * A report that comes a second time, since its first reply was lost, adds nothing.
   */
  xrayPublish: {
    lua: `
      local time = redis.call('TIME')
      local now = time[1] * 1000 + math.floor(time[2] / 1000)
      local processes, process, events, question = unpack(KEYS)
      local id, number, holds, eventsKept = ARGV[1], ARGV[2], ARGV[5], ARGV[10]
      if redis.call('HGET', process, 'number') ~= number then
        local at = 13
        for i = 5, #KEYS do
          for _, name in ipairs({ 'sent', 'received', 'refused', 'dropped', 'redelivered' }) do
            if ARGV[at] ~= '0' then redis.call('HINCRBY', KEYS[i], name, ARGV[at]) end
            at = at + 1
          end
          redis.call('PEXPIRE', KEYS[i], ARGV[11])
        end
        if ARGV[7] == '1' then
          local keep = tonumber(ARGV[9])
          if keep == 0 then redis.call('DEL', events) else redis.call('LTRIM', events, -keep, -1) end
          redis.call('RPUSH', events, ARGV[8])
        end
      end
      local leftAt = holds == '1' and tonumber(redis.call('HGET', process, 'leftAt') or 0) or now
      redis.call('HSET', process, 'number', number, 'identity', ARGV[3], 'receives', ARGV[4], 'holds', holds,
        'isClosed', ARGV[6], 'seenAt', string.format('%.0f', now), 'leftAt', string.format('%.0f', leftAt))
      redis.call('PEXPIRE', process, eventsKept)
      redis.call('PEXPIRE', events, eventsKept)
      redis.call('ZADD', processes, string.format('%.0f', now), id)
      redis.call('ZREMRANGEBYSCORE', processes, '-inf', string.format('%.0f', now - eventsKept))
      redis.call('ZREMRANGEBYRANK', processes, 0, -1 - ARGV[12])
      redis.call('PEXPIRE', processes, eventsKept)
      local askedAt = tonumber(redis.call('GET', question) or -1)
      return askedAt >= leftAt and 1 or 0`,
  },

  /** KEYS: `question`. ARGV: ms for which it stands. Returns the time, in ms of the server's clock. */
  xrayAsk: {
    lua: `
      local time = redis.call('TIME')
      local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
      redis.call('SET', KEYS[1], now, 'PX', ARGV[1])
      return now`,
  },

  /** KEYS: any. Returns for each how many members it has and the lowest score; nothing for what is no sorted set. */
  xrayDepths: {
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
} as const;
