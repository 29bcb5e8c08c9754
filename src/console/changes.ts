// Notices what has changed, for all tabs by one cheap query. A page then fetches what it shows again.

import { sql } from 'kysely';
import type { ChangedEvent, Topic } from './api.js';
import { topics } from './api.js';
import type { ConsoleContext } from './context.js';
import { type StreamEvent, type StreamRequest, type StreamSource, wait } from './stream.js';

const pollMs = 100;
/** Expensive marks are polled less often. */
const slowPollMs = 2000;

/** A text for each topic, which differs when something has changed. */
type Marks = Map<Topic, string>;

interface Listener {
  readonly wanted: ReadonlySet<Topic>;
  readonly changed: Set<Topic>;
  wake(): void;
}

export class Changes implements StreamSource {
  readonly #context: ConsoleContext;
  readonly #listeners = new Set<Listener>();
  readonly #stop = new AbortController();
  #polling: Promise<void> | undefined;
  #slowAt = Number.NEGATIVE_INFINITY;
  #outboxMark = '';
  #hasFailed = false;

  constructor(context: ConsoleContext) {
    this.#context = context;
  }

  /** The first event names all topics: what happened before the page listened is unknown. */
  open({ query, signal }: StreamRequest): AsyncIterable<StreamEvent> | null {
    const asked = (query.get('topics') ?? '').split(',');
    const wanted = new Set(topics.filter((topic) => asked.includes(topic)));
    return wanted.size === 0 ? null : this.#events(wanted, signal);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#polling;
  }

  async *#events(wanted: ReadonlySet<Topic>, signal: AbortSignal): AsyncIterable<StreamEvent> {
    let wake = () => {};
    const listener: Listener = { wanted, changed: new Set(wanted), wake: () => wake() };
    const onAbort = () => wake();
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort);
    this.#polling ??= this.#poll();
    try {
      while (!signal.aborted) {
        if (listener.changed.size > 0) {
          const data: ChangedEvent = { topics: [...listener.changed] };
          listener.changed.clear();
          yield { event: 'changed', data };
        } else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#listeners.delete(listener);
    }
  }

  /** Goes on while somebody listens. */
  async #poll(): Promise<void> {
    let before: Marks | undefined;
    while (this.#listeners.size > 0 && !this.#stop.signal.aborted) {
      const startedAt = performance.now();
      const marks = await this.#marks();
      if (before !== undefined && marks !== undefined) this.#compare(before, marks);
      before = marks ?? before;
      // A slow database is not asked without a pause.
      await wait(Math.max(pollMs, 4 * (performance.now() - startedAt)), this.#stop.signal);
    }
    this.#polling = undefined;
  }

  #compare(before: Marks, marks: Marks): void {
    for (const listener of this.#listeners) {
      const changed = [...listener.wanted].filter((topic) => marks.get(topic) !== before.get(topic));
      if (changed.length === 0) continue;
      for (const topic of changed) listener.changed.add(topic);
      listener.wake();
    }
  }

  /** Undefined while the database is away. */
  async #marks(): Promise<Marks | undefined> {
    const { store, outbox, logger } = this.#context;
    try {
      const { rows } = await newest.execute(store.db);
      const { job, line, request, rule, decision, audit, workers, heard } = rows[0] ?? {};
      const running = await store.db
        .selectFrom('jobs')
        .select(['id', 'message', 'progress'])
        .where('status', '=', 'running')
        .execute();
      // Ordered by the database, SQLite would go through all jobs for it.
      running.sort((a, b) => a.id - b.id);
      const now = performance.now();
      if (now - this.#slowAt >= slowPollMs) {
        this.#slowAt = now;
        this.#outboxMark = (await outbox?.mark()) ?? '';
      }
      const started = `${job} ${running.map(({ id }) => id).join()}`;
      const marks: Marks = new Map([
        ['jobs', `${started} ${request} ${JSON.stringify(running)}`],
        ['lines', `${line}`],
        ['rules', `${rule} ${decision} ${started}`],
        ['workers', `${workers} ${heard}`],
        ['channels', `${this.#slowAt}`],
        ['audit', `${audit}`],
        ['outbox', this.#outboxMark],
      ]);
      this.#hasFailed = false;
      return marks;
    } catch (error) {
      if (!this.#hasFailed) logger.warning('the console cannot notice changes', error);
      this.#hasFailed = true;
      return undefined;
    }
  }
}

type Newest = 'job' | 'line' | 'request' | 'rule' | 'decision' | 'audit' | 'workers' | 'heard';

const newest = sql<Partial<Record<Newest, number | null>>>`select
  (select max(id) from jobs) as job,
  (select max(id) from job_lines) as line,
  (select max(id) from job_requests) as request,
  (select max(id) from rule_changes) as rule,
  (select max(id) from decisions) as decision,
  (select max(id) from console_audit) as audit,
  (select count(*) from workers where stopped_at is null) as workers,
  (select max(heartbeat_at) from workers where stopped_at is null) as heard`;
