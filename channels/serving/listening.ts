// Whether a listener that receives nothing is idle or deaf.
//
// A store that died silently looks like a store with no messages. So each layer asks its store at intervals
// and knows when the answer is due.

/** What a layer knows of the store that holds a channel's messages. */
export interface Listening {
  /** Milliseconds for which this process has waited for messages without a break. */
  readonly waitingMs: number;
  /** Milliseconds since the store's last answer; null before the first one. */
  readonly heardMsAgo: number | null;
  /** Milliseconds within which a healthy store answers, with a margin for a busy one. */
  readonly dueMs: number;
}

/** The state of a listener. See `listenerState`. */
export type ListenerState = 'waiting' | 'busy' | 'paused' | 'restarting' | 'deaf';

export interface ListenerFacts {
  /** Whether the listener or its application failed and waits for its next try. */
  readonly isRestarting: boolean;
  /** Whether a message is in hand. */
  readonly isHandling: boolean;
  /** Whether a message waits for a slot, or the listener takes no more messages. */
  readonly isHeldBack: boolean;
  /** From the layer; undefined while nobody receives, and for a layer whose store is in this process. */
  readonly listening: Listening | undefined;
}

/**
 * Returns the state of a listener. The first row that is true decides:
 *
 * | state | when |
 * | --- | --- |
 * | restarting | the listener or its application failed and is tried again soon |
 * | deaf | the store's answer is overdue |
 * | busy | a handler runs |
 * | paused | a message waits for a slot, or the worker stops and takes no more |
 * | waiting | otherwise; a message that is sent now arrives |
 *
 * A listener can be deaf while a handler runs: that message arrived earlier.
 */
export function listenerState(facts: ListenerFacts): ListenerState {
  if (facts.isRestarting) return 'restarting';
  if (facts.listening !== undefined && isOverdue(facts.listening)) return 'deaf';
  if (facts.isHandling) return 'busy';
  return facts.isHeldBack ? 'paused' : 'waiting';
}

/** Whether the store's answer is overdue. */
export function isOverdue({ dueMs, ...listening }: Listening): boolean {
  return silentMs(listening) > dueMs;
}

/** Milliseconds since the store's last answer, or since the wait began if that is later. */
export function silentMs({ waitingMs, heardMsAgo }: Omit<Listening, 'dueMs'>): number {
  return Math.min(waitingMs, heardMsAgo ?? Number.POSITIVE_INFINITY);
}

/** The store whose answer is the most overdue; undefined without stores. */
export function worstOf(stores: readonly Listening[]): Listening | undefined {
  const lateMs = (store: Listening) => silentMs(store) - store.dueMs;
  return stores.reduce<Listening | undefined>(
    (worst, store) => (worst === undefined || lateMs(store) > lateMs(worst) ? store : worst),
    undefined,
  );
}

/** Makes a `Listening`; `since` and `heardAt` are in milliseconds of `performance.now`. */
export function listeningTo(since: number, heardAt: number | undefined, dueMs: number): Listening {
  const now = performance.now();
  return { waitingMs: now - since, heardMsAgo: heardAt === undefined ? null : now - heardAt, dueMs };
}

/** The largest margin for a late reply. */
const longestLateMs = 2500;

/**
 * `dueMs` of a store that is asked every `everyMs` over a connection with the reply timeout `replyWithinMs`.
 */
export function dueAfterMs(everyMs: number, replyWithinMs: number): number {
  return everyMs + Math.min(replyWithinMs / 2, longestLateMs);
}
