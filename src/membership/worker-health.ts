// How a worker says it is doing: in the answer to worker.ping, in its log, and with every beat in the database, where it
// can be read although nobody hears the worker any more.

import * as v from 'valibot';
import type { ChannelStats, ListenerState } from '../../channels/index.js';

const listenerStates = ['waiting', 'busy', 'paused', 'restarting', 'deaf'] as const satisfies ListenerState[];

/** One of the channels that a worker listens on. */
const listener = v.object({
  channel: v.string(),
  /** As `listenerState` of `linod/channels` judges. */
  state: v.picklist(listenerStates),
  /** Milliseconds since the channel layer was heard of; null when it never was, or cannot be deaf. */
  heardMsAgo: v.nullable(v.number()),
  /** Milliseconds within which it is to be heard of; null while nothing is due. */
  dueMs: v.nullable(v.number()),
  /** What went wrong last. */
  lastError: v.nullable(v.string()),
  /** Messages that it could not accept. */
  dropped: v.optional(v.number(), 0),
});

const health = v.object({
  /** The task coroutine. */
  tasks: v.picklist(['off', 'running', 'paused']),
  /** The logger coroutine: another worker writes the log (standby), this one, or this one if it could (blocked). */
  logger: v.picklist(['off', 'standby', 'blocked', 'starting', 'writing']),
  /** Why it is blocked. */
  loggerTrouble: v.optional(v.nullable(v.string()), null),
  /** How far the clock of its machine is ahead of the database's, in ms; negative when it is behind. */
  skewMs: v.optional(v.number(), 0),
  listeners: v.array(listener),
  /** Whether it stops when its runs have ended. */
  isDraining: v.optional(v.boolean(), false),
  /** Its resident memory. */
  memoryBytes: v.optional(v.nullable(v.number()), null),
  /** The longest delay of its event loop since the last heartbeat. */
  loopLagMs: v.optional(v.nullable(v.number()), null),
});

export type ListenerHealth = v.InferOutput<typeof listener>;
export type WorkerHealth = v.InferOutput<typeof health>;

export function listenerHealth({
  channel,
  state,
  listening,
  lastError,
  dropped,
}: ChannelStats): ListenerHealth {
  const whole = (ms: number | null | undefined) => (typeof ms === 'number' ? Math.round(ms) : null);
  return {
    channel,
    state,
    heardMsAgo: whole(listening?.heardMsAgo),
    dueMs: whole(listening?.dueMs),
    lastError: lastError?.error.message ?? null,
    dropped,
  };
}

/** Reads what a worker wrote into the database; null before its first word, or of a version that says other things. */
export function parseHealth(text: string): WorkerHealth | null {
  if (text === '') return null;
  const found = v.safeParse(v.pipe(v.string(), v.parseJson(), health), text);
  return found.success ? found.output : null;
}
