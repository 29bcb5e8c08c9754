// How one who waits for messages tells that none comes from that none could.
//
// A store that died without a word looks, from here, like one on whose channels nobody sends. So each layer asks its
// store now and then, be it for messages that it does not expect, and knows by when an answer is due.

/** What a layer knows of the store from which messages of a channel would come. */
export interface Listening {
  /** Milliseconds for which somebody in this process has waited without a break. */
  readonly waitingMs: number;
  /** Milliseconds since the store was last heard of; null when it never was. */
  readonly heardMsAgo: number | null;
  /** Milliseconds within which a healthy store is heard of again, with something added for a busy one. */
  readonly dueMs: number;
}

/** How a listener is doing. See `listenerState`. */
export type ListenerState = 'waiting' | 'busy' | 'paused' | 'restarting' | 'deaf';

export interface ListenerFacts {
  /** Whether the listener or its application failed, and the time to try again has not come. */
  readonly isRestarting: boolean;
  /** Whether a message is in hand. */
  readonly isHandling: boolean;
  /** Whether no message is handed out although there is one, or none is taken any more. */
  readonly isHeldBack: boolean;
  /** Of the layer; undefined while nothing is asked of it, and for a layer that cannot be deaf. */
  readonly listening: Listening | undefined;
}

/**
 * Judges a listener. The first that is so decides:
 *
 * | state | is so when |
 * | --- | --- |
 * | restarting | something failed and is tried again soon |
 * | deaf | it has waited longer, and has heard of the store longer ago, than within which the store was due |
 * | busy | a message is being handled |
 * | paused | a message waits for a place among those that are handled, or the worker stops and takes no more |
 * | waiting | otherwise: a message that is sent now comes |
 *
 * A listener that handles a message and waits for the next is deaf, too, when it is: what it handles came before.
 */
export function listenerState(facts: ListenerFacts): ListenerState {
  if (facts.isRestarting) return 'restarting';
  if (facts.listening !== undefined && isOverdue(facts.listening)) return 'deaf';
  if (facts.isHandling) return 'busy';
  return facts.isHeldBack ? 'paused' : 'waiting';
}

/** Whether the store was due and has not been heard of. */
export function isOverdue({ dueMs, ...listening }: Listening): boolean {
  return silentMs(listening) > dueMs;
}

/** Milliseconds for which the store has owed a word: since it was heard of, or since somebody began to wait. */
export function silentMs({ waitingMs, heardMsAgo }: Omit<Listening, 'dueMs'>): number {
  return Math.min(waitingMs, heardMsAgo ?? Number.POSITIVE_INFINITY);
}

/** That of the store which was silent the longest beyond what was due; undefined for none. */
export function worstOf(stores: readonly Listening[]): Listening | undefined {
  const lateMs = (store: Listening) => silentMs(store) - store.dueMs;
  return stores.reduce<Listening | undefined>(
    (worst, store) => (worst === undefined || lateMs(store) > lateMs(worst) ? store : worst),
    undefined,
  );
}

/** What is known of a store; `since` and `heardAt` are in ms of this process's clock. */
export function listeningTo(since: number, heardAt: number | undefined, dueMs: number): Listening {
  const now = performance.now();
  return { waitingMs: now - since, heardMsAgo: heardAt === undefined ? null : now - heardAt, dueMs };
}

/** How late a reply may be that a store gives at an interval: half of what a connection may take before it is given up. */
const longestLateMs = 2500;

/** `dueMs` of a store that is asked every so often, over connections that are given up after `replyWithinMs`. */
export function dueAfterMs(everyMs: number, replyWithinMs: number): number {
  return everyMs + Math.min(replyWithinMs / 2, longestLateMs);
}
