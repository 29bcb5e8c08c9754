// One message's way, in sentences, with what is not known said.

import {
  deadLetterChannel,
  type LayerProcess,
  type Trace,
  type TraceEvent,
  type TraceEventName,
} from '../../../channels/index.js';
import { durationText } from '../../duration.js';
import { printable } from '../printable.js';

export interface TraceView {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly localTime: (instant: Date) => string;
}

/** Whether any process, or the store, knows of the message. */
export function isKnown({ events, waiting }: Trace): boolean {
  return events.length > 0 || waiting !== undefined;
}

/** What happened, a line an event, and then where the message is now as far as that is known. */
export function traceLines(trace: Trace, view: TraceView): string[] {
  const lines = trace.events.map((event) => eventLine(event, view));
  const begin = isKnown(trace) && !trace.events.some(({ event }) => event === 'sent') ? [unknownSender] : [];
  return [...begin, ...lines, outcomeLine(trace, view)].map(printable);
}

/** What could not be asked: a line, or none. */
export function silenceLines({ silent }: Trace): string[] {
  if (silent.length === 0) return [];
  const names = silent.map(processText).join(', ');
  return [
    printable(
      `${counted(silent.length, 'process', 'processes')} may know more, but did not answer: ${names}`,
    ),
  ];
}

/** What to say when nobody knows the message. */
export function unknownLine(id: string): string {
  return `nothing is known of message ${printable(id)}: no process remembers it. It may have been sent and received too long ago, by processes that have ended or by Python's, or never`;
}

const unknownSender =
  'who sent it is not known: a process that has ended, one that does not tell, as Python’s, or it was too long ago';

const clauses: Readonly<Record<TraceEventName, (channel: string) => string>> = {
  sent: (channel) => `sent to ${channel} by`,
  received: (channel) => `received from ${channel} by`,
  redelivered: (channel) => `received again from ${channel} by`,
  started: () => 'given to its handler in',
  handled: () => 'handled in',
  failed: () => 'its handler failed in',
  acknowledged: () => 'acknowledged by',
  released: () => 'given back before its lease was over by',
  returned: () => 'put back unhandled by',
  dropped: (channel) => `dropped from ${channel} by`,
  dead: (channel) => `handed out too often: put among the dead letters of ${channel} by`,
};

function eventLine({ at, event, channel, process }: TraceEvent, { localTime }: TraceView): string {
  return `${localTime(new Date(at))}  ${clauses[event](channel)} ${processText(process)}`;
}

function processText({ name, pid, host }: Pick<LayerProcess, 'name' | 'pid' | 'host'>): string {
  return `${name}[${pid}] on ${host}`;
}

function outcomeLine({ events, waiting }: Trace, { now }: TraceView): string {
  const last = events.findLast((event) => !isSettledElsewhere(event, events));
  if (waiting !== undefined) {
    const since = waiting.sentAt === undefined ? '' : `, sent ${durationText(now - waiting.sentAt)} ago`;
    const where = waiting.channels.join(', ');
    return waiting.leaseEndsAt === undefined
      ? `it waits on ${where}${since}`
      : `it is on lease on ${where} for ${durationText(waiting.leaseEndsAt - now)} more`;
  }
  if (last === undefined) return 'where it is now is not known';
  return outcomes[last.event](last);
}

/** After one of these nothing more happens to a message, unless its channel gets it anew. */
const settlements: ReadonlySet<TraceEventName> = new Set(['acknowledged', 'dropped', 'dead']);

/** Whether another process brought the message to its end, so that this is earlier, whatever the clocks say. */
function isSettledElsewhere({ event, channel, process }: TraceEvent, events: readonly TraceEvent[]): boolean {
  return (
    !settlements.has(event) &&
    events.some(
      (other) => settlements.has(other.event) && other.channel === channel && other.process.id !== process.id,
    )
  );
}

const outcomes: Readonly<Record<TraceEventName, (last: TraceEvent) => string>> = {
  sent: ({ channel }) =>
    `what became of it is not known: it is not among the messages on ${channel} that were looked at; it expired, or was received by one that does not tell`,
  received: notKnownAfter('it was received'),
  redelivered: notKnownAfter('it was received again'),
  started: ({ process }) => `it is being handled, unless ${processText(process)} has ended`,
  handled: () => 'it was handled; that is the end of it',
  failed: () => 'its handler failed; without a lease that is the end of it, with one it comes again',
  acknowledged: () => 'it was acknowledged; that is the end of it',
  released: notKnownAfter('it was given back'),
  returned: notKnownAfter('it was put back'),
  dropped: () => 'it was dropped; that is the end of it',
  dead: ({ channel }) => `it is a dead letter: linod channels peek ${deadLetterChannel(channel)}`,
};

function notKnownAfter(what: string): () => string {
  return () => `${what}; what became of it then is not known`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
