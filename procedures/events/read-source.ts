// Reading what a source tells, in batches and within a time, without trusting it.

import type { BaseRequest } from '../../src/index.js';
import { headline } from '../failures.js';
import { mayGoOn } from '../pause.js';
import type { EventSource } from './event-sources.js';

const batchSize = 500;
const defaultTimeoutMs = 60_000;
/** A source that tells more of a month or so tells nonsense, such as a series without end. */
const maxEvents = 1_000_000;

/** A source threw, was silent for too long, or returned what is no list. */
export class EventSourceError extends Error {
  constructor(problem: string, cause?: unknown) {
    super(problem, { cause });
  }
}

/** Events as a source returned them, not yet looked at; `first` is the place of the first of them, from 0. */
export interface EventBatch {
  readonly first: number;
  readonly items: readonly unknown[];
}

/**
 * Asks a source. Ends early when the run is to end.
 *
 * @throws EventSourceError, and nothing else
 */
export async function* eventBatches(
  ar: BaseRequest,
  source: EventSource,
  from: Date,
  to: Date,
): AsyncGenerator<EventBatch> {
  const inTime = deadline(ar.signal, source.timeoutMs ?? defaultTimeoutMs);
  const returned = await inTime(async () => await source.upcoming(from, to, ar));
  const iterator = iteratorOf(returned);
  let first = 0;
  try {
    for (;;) {
      const items = await inTime(async () => await take(iterator, batchSize));
      if (!(await mayGoOn(ar.signal))) return;
      if (items.length > 0) yield { first, items };
      first += items.length;
      if (items.length < batchSize) return;
      if (first >= maxEvents) throw new EventSourceError(`told more than ${maxEvents} events`);
    }
  } finally {
    // A generator may have something to close; what it says about it concerns nobody any more.
    void (async () => await iterator.return?.())().catch(() => undefined);
  }
}

type AnyIterator = Iterator<unknown> | AsyncIterator<unknown>;

function iteratorOf(returned: unknown): AnyIterator {
  if (typeof returned === 'object' && returned !== null) {
    if (Symbol.iterator in returned) return (returned as Iterable<unknown>)[Symbol.iterator]();
    if (Symbol.asyncIterator in returned) return (returned as AsyncIterable<unknown>)[Symbol.asyncIterator]();
  }
  throw new EventSourceError(`expected a list of events, got: ${shown(returned)}`);
}

/** Also of what JSON cannot say, such as an object within itself. */
function shown(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? String(value)).slice(0, 100);
  } catch {
    return typeof value === 'bigint' ? `${value}n` : 'an object that JSON cannot say';
  }
}

async function take(iterator: AnyIterator, count: number): Promise<unknown[]> {
  const items: unknown[] = [];
  while (items.length < count) {
    const step = await iterator.next();
    if (step.done === true) break;
    items.push(step.value);
  }
  return items;
}

/** Gives what a source does so much time in all, and none when the run is to end. */
function deadline(signal: AbortSignal, timeoutMs: number) {
  let leftMs = timeoutMs;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    const began = performance.now();
    const late = new EventSourceError(`no answer within ${timeoutMs} ms`);
    let stop = () => {};
    const end = new Promise<never>((_resolve, reject) => {
      const timer = setTimeout(() => reject(late), Math.max(leftMs, 0));
      const onAbort = () => reject(new EventSourceError('the run was ended'));
      signal.addEventListener('abort', onAbort, { once: true });
      stop = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      };
    });
    try {
      return await Promise.race([work(), end]);
    } catch (error) {
      throw error instanceof EventSourceError ? error : new EventSourceError(headline(error), error);
    } finally {
      stop();
      leftMs -= performance.now() - began;
    }
  };
}
