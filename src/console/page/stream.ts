// The one stream of server-sent events of this tab: what has changed, and new lines of the log.
//
// It is closed while the tab is hidden. A browser opens six connections to a server at most, so that tabs in the
// background would block the one that is used.

import type { ChangedEvent, LogEvent, Topic } from '../api.js';
import { loadSession, messageOf } from './api.js';
import { parseJson } from './json.js';
import { prefix } from './router.js';
import { clearStale, markStale } from './stale.js';

interface ChangeListener {
  readonly topics: readonly Topic[];
  readonly onChange: () => void;
}

interface LogListener {
  /** The filter of the log as a query. */
  readonly filter: string;
  /** The position from which the log goes on; empty for new lines only. */
  after: string;
  readonly onLog: (event: LogEvent, id: string) => void;
}

/** Before the first attempt after a failure, in ms. Each further attempt waits twice as long. */
const firstRetryMs = 500;
const lastRetryMs = 15_000;

const changeListeners = new Set<ChangeListener>();
let logListener: LogListener | undefined;
let source: EventSource | undefined;
let openUrl = '';
/** Whose lines the open stream sends. */
let openFor: LogListener | undefined;
/** Topics of the open stream. They only grow, because each change opens the stream again. */
let topics = new Set<Topic>();
let retries = 0;
let retryTimer = 0;
let updateTimer = 0;
const owner = {};

/** Calls `onChange` when data of these topics may have changed, also after a gap in the stream. */
export function onChanged(wanted: readonly Topic[], onChange: () => void): () => void {
  const listener = { topics: wanted, onChange };
  changeListeners.add(listener);
  update();
  return () => {
    changeListeners.delete(listener);
    update();
  };
}

/**
 * Follows the log. One at a time: the last one counts.
 *
 * @param filter a query such as `level=WARNING&text=mail`
 * @param after the position from which it goes on; empty for new lines only
 * @param handle gets the position behind the lines, too
 */
export function onLog(filter: string, after: string, handle: LogListener['onLog']): () => void {
  const listener = { filter, after, onLog: handle };
  logListener = listener;
  update();
  return () => {
    if (logListener === listener) logListener = undefined;
    update();
  };
}

/** Begins to watch whether the tab is hidden and the network is there. */
export function startStream(): void {
  document.addEventListener('visibilitychange', update);
  addEventListener('online', () => void reopen());
  addEventListener('offline', () => lose('The network is away.'));
}

/** Several listeners come and go at once, so the stream follows them a moment later. */
function update(): void {
  clearTimeout(updateTimer);
  updateTimer = setTimeout(follow);
}

function follow(): void {
  const wanted = [...changeListeners].flatMap(({ topics }) => topics);
  if (document.hidden || (wanted.length === 0 && logListener === undefined)) {
    close();
    clearStale(owner);
    return;
  }
  topics = new Set([...topics, ...wanted]);
  const query = new URLSearchParams(logListener?.filter);
  query.set('topics', [...topics].sort().join());
  if (logListener !== undefined) query.set('log', '1');
  const url = `${prefix}api/stream?${query}`;
  // Another listener may go on from another position.
  if (url === openUrl && logListener === openFor) return;
  close();
  open(url);
}

function open(url: string): void {
  openUrl = url;
  openFor = logListener;
  // A new EventSource cannot send Last-Event-ID, which only those know that connect again by themselves.
  const opened = new EventSource(`${url}&${new URLSearchParams({ after: logListener?.after ?? '' })}`);
  source = opened;
  opened.addEventListener('open', () => {
    retries = 0;
    clearStale(owner);
  });
  // The first of these names all topics, so that nothing is missed that happened before.
  opened.addEventListener('changed', (event) => {
    const changed = parseJson(String(event.data)) as ChangedEvent;
    for (const listener of [...changeListeners]) {
      if (listener.topics.some((topic) => changed.topics.includes(topic))) listener.onChange();
    }
  });
  opened.addEventListener('log', (event) => {
    if (logListener === undefined) return;
    logListener.after = event.lastEventId || logListener.after;
    logListener.onLog(parseJson(String(event.data)) as LogEvent, logListener.after);
  });
  opened.addEventListener('error', () => {
    if (source === opened) lose('The stream of changes is interrupted.');
  });
}

function lose(why: string): void {
  if (openUrl === '') return;
  markStale(owner, Date.now(), why);
  source?.close();
  clearTimeout(retryTimer);
  const delayMs = Math.min(lastRetryMs, firstRetryMs * 2 ** retries++);
  // Tabs of many users should not come back at the same moment.
  retryTimer = setTimeout(() => void reopen(), delayMs * (0.5 + Math.random() / 2));
}

/** The session may have ended, which the stream cannot say. Then the user signs in again. */
async function reopen(): Promise<void> {
  clearTimeout(retryTimer);
  try {
    await loadSession();
  } catch (error) {
    return lose(messageOf(error));
  }
  close();
  follow();
}

function close(): void {
  clearTimeout(retryTimer);
  source?.close();
  source = undefined;
  openUrl = '';
  if (document.hidden) topics = new Set();
}
