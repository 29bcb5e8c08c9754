// The stream of server-sent events of one tab: what its sources yield, and a sign of life.

import type { ServerSentEvent } from '../../channels/index.js';
import { aborted } from '../base/aborted.js';
import type { ConsoleContext, Visitor } from './context.js';

/** One event for the page. */
export interface StreamEvent {
  readonly event: string;
  /** What JSON can hold. */
  readonly data: unknown;
  /** Where the source goes on when the page connects again. One source of a stream gives ids: the log. */
  readonly id?: string;
}

/** A tab that listens. */
export interface StreamRequest {
  readonly visitor: Visitor;
  readonly query: URLSearchParams;
  /** After which event the page goes on: its header `Last-Event-ID`, or `after` of its query. */
  readonly lastEventId: string | undefined;
  /** Aborted when the tab is closed or hidden, the session ends, or the server stops. */
  readonly signal: AbortSignal;
}

/** Something that all tabs of a console can listen to. */
export interface StreamSource {
  /** Yields until the signal is aborted; null when the query does not ask for this source. */
  open(request: StreamRequest): AsyncIterable<StreamEvent> | null;
  /** Ends what the source does for all tabs. Safe to call twice. */
  close(): Promise<void>;
}

/** Makes the source of one console. */
export type StreamSourceFactory = (context: ConsoleContext) => StreamSource;

/** Proxies close a connection on which nothing comes, often after a minute. */
const heartbeatMs = 15_000;
/** How soon a stream ends after its session. */
const sessionCheckMs = 2000;

export interface StreamOptions {
  readonly sources: readonly StreamSource[];
  readonly request: StreamRequest;
  /** Sends one event; waits for a slow client. */
  send(event: ServerSentEvent): Promise<void>;
  /** Sends a comment, which a page does not see. */
  comment(): Promise<void>;
  /** Whether the visitor may still read. */
  isAllowed(): Promise<boolean>;
}

/** Runs until the signal is aborted, a source fails, or the visitor may not read any more. */
export async function runStream(options: StreamOptions): Promise<void> {
  const { sources, request, send } = options;
  const { signal } = request;
  const feed = async (events: AsyncIterable<StreamEvent>): Promise<void> => {
    for await (const { event, data, id } of events) {
      if (signal.aborted) return;
      await send({ event, data: JSON.stringify(data), id });
    }
    // A source that has no more events ends no stream.
    await aborted(signal);
  };
  const feeds = sources
    .map((source) => source.open(request))
    .filter((events) => events !== null)
    .map(feed);
  await Promise.race([watch(options), ...feeds]);
}

async function watch({ request: { signal }, comment, isAllowed }: StreamOptions): Promise<void> {
  let quietMs = 0;
  while (!signal.aborted) {
    await wait(sessionCheckMs, signal);
    if (signal.aborted || !(await isAllowed())) return;
    quietMs += sessionCheckMs;
    if (quietMs < heartbeatMs) continue;
    quietMs = 0;
    await comment();
  }
}

/** Resolves after so many ms, or when the signal is aborted. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
