// The order of a message's events, which processes with different clocks remember.

import type { TraceEvent, TraceEventName } from '../xray.js';

/** What happens on a channel before all else, in this order. */
const beginnings: readonly TraceEventName[] = ['sent', 'received'];

/**
 * Puts events in the order of time as far as clocks can be believed. Whatever they say, each process's events stay in
 * their order, and on a channel a message is sent before it is received, and received before anything else happens.
 *
 * @param known the events of each process, as it remembers them
 */
export function inOrder(known: ReadonlyArray<readonly TraceEvent[]>): TraceEvent[] {
  // Of its own messages a process may hear that they were accepted after it received them.
  const isSent = ({ event }: TraceEvent) => event === 'sent';
  const queues = known.flatMap((events) => [events.filter(isSent), events.filter((event) => !isSent(event))]);
  const ordered: TraceEvent[] = [];
  for (;;) {
    const left = queues.filter(({ length }) => length > 0);
    if (left.length === 0) return ordered;
    const ready = left.filter((queue) => !isTooEarly(queue, ordered, left));
    const candidates = ready.length > 0 ? ready : left;
    const earliest = candidates.reduce((best, queue) => (timeOf(queue) < timeOf(best) ? queue : best));
    ordered.push(...earliest.splice(0, 1));
  }
}

/** Whether the first of a queue is later than what nobody has told of so far, and somebody else tells of. */
function isTooEarly(
  queue: readonly TraceEvent[],
  ordered: readonly TraceEvent[],
  left: ReadonlyArray<readonly TraceEvent[]>,
): boolean {
  const [head] = queue;
  if (head === undefined) return false;
  const rank = beginnings.indexOf(head.event);
  const before = rank === -1 ? beginnings : beginnings.slice(0, rank);
  return before.some((beginning) => {
    const isIt = ({ event, channel }: TraceEvent) => event === beginning && channel === head.channel;
    return !ordered.some(isIt) && left.some((other) => other !== queue && other.some(isIt));
  });
}

function timeOf([head]: readonly TraceEvent[]): number {
  return head?.at ?? Number.POSITIVE_INFINITY;
}
