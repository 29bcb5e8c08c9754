// Reads the events of a source, with a time limit and without trusting it.

import { inspect } from 'node:util';
import type { BaseRequest } from '../../src/index.js';
import { headline } from '../shared/failures.js';
import { Pace } from '../shared/pause.js';
import type { EventSource } from './event-sources.js';

const defaultTimeoutMs = 60_000;
/** A source with more events in a month or so has an error, such as an endless series. */
const maxEvents = 100_000;

/** A source threw, took too long, or did not return a list. */
export class EventSourceError extends Error {
  constructor(problem: string, cause?: unknown) {
    super(problem, { cause });
  }
}

/**
 * Reads the events of a source, without checking them.
 *
 * @throws EventSourceError, and nothing else; also when the run ends
 */
export async function readEvents(
  ar: BaseRequest,
  source: EventSource,
  from: Date,
  to: Date,
): Promise<unknown[]> {
  const { timeoutMs = defaultTimeoutMs } = source;
  const end = new AbortController();
  const endWith = (why: string) => end.abort(new EventSourceError(why));
  const onAbort = () => endWith('the run was ended');
  const timer = setTimeout(endWith, timeoutMs, `no answer within ${timeoutMs} ms`);
  ar.signal.addEventListener('abort', onAbort, { once: true });
  const ended = new Promise<never>((_resolve, reject) => {
    end.signal.addEventListener('abort', () => reject(end.signal.reason), { once: true });
  });
  try {
    const read = (async () => await collect(await source.upcoming(from, to, ar), end.signal))();
    return await Promise.race([read, ended]);
  } catch (error) {
    throw error instanceof EventSourceError ? error : new EventSourceError(headline(error), error);
  } finally {
    clearTimeout(timer);
    ar.signal.removeEventListener('abort', onAbort);
  }
}

async function collect(returned: unknown, signal: AbortSignal): Promise<unknown[]> {
  if (!isIterable(returned)) {
    const shown = inspect(returned, { depth: 0 }).slice(0, 100);
    throw new EventSourceError(`expected a list of events, got: ${shown}`);
  }
  const events: unknown[] = [];
  const pace = new Pace();
  for await (const event of returned) {
    // Leaving the loop lets a generator close its resources.
    if (signal.aborted) break;
    events.push(event);
    if (events.length > maxEvents) throw new EventSourceError(`returned more than ${maxEvents} events`);
    await pace.step();
  }
  return events;
}

function isIterable(value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  );
}
