// What operators see of a process while it runs: probes, metrics, and its notes to systemd.

import { sql } from 'kysely';
import {
  type ChannelLayer,
  type ChannelStats,
  type ConnectionChange,
  channelPattern,
  type DroppedMessage,
  messageKey,
} from '../../channels/index.js';
import type { ServerEvent } from '../../channels/server/index.js';
import type { TasksWatch } from '../actors/site-tasks.js';
import type { LevelName } from '../base/log-levels.js';
import { type Check, type Phase, partChecks, whatHangs } from '../health/checks.js';
import { watchLoop } from '../health/loop-watch.js';
import { Notifier } from '../health/notifier.js';
import { Probe } from '../health/probe.js';
import { ProbeServer } from '../health/probe-server.js';
import type { Tally } from '../log/writer/composer.js';
import { createMetrics, type Metrics, metricsText } from '../metrics/metrics.js';
import { setProcess } from '../metrics/process-figures.js';
import { clearLayer, clearStore, readLayer, readStore } from '../metrics/site-figures.js';
import type { Site } from '../site/site.js';
import type { Store } from '../store/store.js';

export interface OperationsOptions {
  readonly site: Site;
  /** Logs what is wrong with the probes themselves, and what hangs. */
  readonly log: (level: LevelName, text: string) => void;
}

/** The parts that a process has once they are open. */
export interface ObservedParts {
  /** Undefined in a process without a database. */
  readonly store?: Store;
  readonly layer: ChannelLayer;
  /** Writes to the layer without an effect. */
  readonly touchLayer: () => Promise<void>;
  readonly channels: () => readonly ChannelStats[];
  /** The number of WebSockets; null without a server. */
  readonly sockets: () => number | null;
  readonly heartbeatFails: () => boolean;
}

interface Observed extends ObservedParts {
  readonly databaseProbe: Probe | undefined;
  readonly layerProbe: Probe;
  readonly storeFigures: Probe | undefined;
  readonly layerFigures: Probe;
}

/** How many pings in the time of the watchdog: one may come late on a busy machine. */
const pingsInTime = 3;

const maxPatterns = 1000;

export class Operations {
  readonly #options: OperationsOptions;
  readonly #metrics: Metrics = createMetrics();
  readonly #notifier: Notifier | null;
  readonly #server: ProbeServer | undefined;
  readonly #unwatch: () => void;
  readonly #away = new Set<string>();
  readonly #patterns = new Map<string, string>();
  #phase: Phase = 'starting';
  #observed: Observed | undefined;
  #pings: NodeJS.Timeout | undefined;
  #deafSince: number | undefined;
  #reportedHang: string | null = null;

  /** Answers probes from now on, also while the process waits for its database. */
  constructor(options: OperationsOptions) {
    this.#options = options;
    const { site, log } = options;
    const { health: address } = site.settings;
    this.#unwatch = watchLoop((lateSeconds) => this.#metrics.loopLag.observe(lateSeconds));
    this.#notifier = Notifier.take({
      onTrouble: ({ message }) => log('WARNING', `systemd does not hear how this process is: ${message}`),
    });
    if (address === '') return;
    this.#server = new ProbeServer({
      address,
      probes: {
        // The loop turns, or nothing would answer.
        '/livez': async () => [{ name: 'loop', problem: null }],
        '/startupz': async () => [
          { name: 'started', problem: this.#phase === 'starting' ? 'the process is starting' : null },
        ],
        '/readyz': () => this.#readiness(),
      },
      metrics: () => this.#metricsText(),
      onListening: (url) => log('INFO', `probes and metrics are on ${url}`),
      onTrouble: ({ message }) => log('WARNING', `no probes on ${address}, trying again: ${message}`),
    });
  }

  /** The callbacks for the site's layer. */
  readonly layerWatch = {
    onSend: (channel: string | null, accepted: number, refused: number) => {
      if (channel === null) this.#metrics.groupMessagesSent.add(accepted);
      else {
        const pattern = this.#patternOf(channel);
        if (accepted > 0) this.#metrics.messagesSent.add(accepted, pattern);
        if (refused > 0) this.#metrics.messagesRefused.add(refused, pattern);
      }
    },
    onDrop: ({ channel, reason }: DroppedMessage) => this.dropped(channel, reason),
    onConnection: ({ host, connected }: ConnectionChange) => {
      if (connected) this.#away.delete(host);
      else this.#away.add(host);
    },
  };

  readonly tasksWatch: TasksWatch = {
    decided: (entries) => {
      for (const { reason } of entries) this.#metrics.decisions.add(1, reason);
    },
    began: ({ dueAt, startDatetime }) => {
      if (dueAt === null) return;
      this.#metrics.dueLag.observe(Math.max(0, startDatetime.getTime() - dueAt.getTime()) / 1000);
    },
    ended: ({ name }, status, tookMs) => this.#metrics.runDuration.observe(tookMs / 1000, name, status),
  };

  /** Remembers the patterns of some channels, since this is called for each message. */
  #patternOf(channel: string): string {
    const key = messageKey(channel);
    const known = this.#patterns.get(key);
    if (known !== undefined) return known;
    if (this.#patterns.size >= maxPatterns) this.#patterns.clear();
    const pattern = channelPattern(channel);
    this.#patterns.set(key, pattern);
    return pattern;
  }

  /** Counts a message that was dropped. */
  dropped(channel: string, reason: string): void {
    this.#metrics.messagesDropped.add(1, channelPattern(channel), reason);
  }

  /** Counts the records of a write to the log. */
  wrote(tallies: readonly Tally[]): void {
    for (const { sender, kind, count } of tallies) {
      const name = sender.replace(/\[\d+\]$/, '');
      if (kind === 'records') this.#metrics.logRecords.add(count, name);
      if (kind === 'lost') this.#metrics.logRecordsMissing.add(count, name);
    }
  }

  /** Counts what happens in the server of this process. */
  served(event: ServerEvent): void {
    if (event.type === 'request')
      this.#metrics.requests.observe(event.durationMs / 1000, String(event.status));
  }

  /** Says what the start waits for. */
  waitsFor(text: string): void {
    void this.#notifier?.send(`STATUS=${text}`);
  }

  observe(parts: ObservedParts): void {
    const { store, layer, touchLayer } = parts;
    this.#observed = {
      ...parts,
      databaseProbe: store && new Probe(() => sql`select 1`.execute(store.db)),
      layerProbe: new Probe(touchLayer),
      storeFigures: store && new Probe(() => readStore(store.db, this.#metrics)),
      layerFigures: new Probe(() => readLayer(layer, this.#metrics)),
    };
  }

  /** The process listens. From now on it feeds the watchdog of systemd. */
  ready(): void {
    this.#phase = 'running';
    void this.#notifier?.send('READY=1', 'STATUS=ready');
    const { watchdogMs = null } = this.#notifier ?? {};
    if (watchdogMs === null) return;
    this.#pings = setInterval(() => void this.#ping(watchdogMs), watchdogMs / pingsInTime).unref();
  }

  /** From now on the process is not ready. */
  stopping(): void {
    if (this.#phase === 'stopping') return;
    this.#phase = 'stopping';
    void this.#notifier?.send('STOPPING=1', 'STATUS=stopping');
  }

  /** Safe to call twice. */
  async close(): Promise<void> {
    clearInterval(this.#pings);
    this.#unwatch();
    await this.#server?.close();
    await this.#notifier?.sent();
  }

  async #readiness(): Promise<Check[]> {
    const parts = this.#phase === 'running' ? this.#observed : undefined;
    const checks = parts === undefined ? [] : await partChecks(parts);
    const problem = this.#phase === 'running' ? null : `the process is ${this.#phase}`;
    return [{ name: 'running', problem }, ...checks];
  }

  /** While it stops, a worker may write its log for long. It turns, and that is enough then. */
  async #ping(watchdogMs: number): Promise<void> {
    const checks = this.#phase === 'running' ? await this.#readiness() : [];
    const hang = this.#phase === 'running' ? this.#hang(watchdogMs) : null;
    if (hang !== null && hang !== this.#reportedHang)
      this.#options.log('CRITICAL', `the watchdog of systemd is not fed: ${hang}`);
    this.#reportedHang = hang;
    const problems = checks.flatMap(({ name, problem }) => (problem === null ? [] : `${name}: ${problem}`));
    const status = problems.length === 0 ? this.#phase : `not ready: ${problems.join('; ')}`;
    if (hang === null) this.#notifier?.ping(status);
    else void this.#notifier?.send(`STATUS=${hang}`);
  }

  #hang(watchdogMs: number): string | null {
    const observed = this.#observed;
    if (observed === undefined) return null;
    const now = performance.now();
    const isDeaf = observed.channels().some(({ state }) => state === 'deaf');
    this.#deafSince = isDeaf && this.#away.size === 0 ? (this.#deafSince ?? now) : undefined;
    return whatHangs({
      databasePendingMs: observed.databaseProbe?.pendingMs ?? 0,
      layerPendingMs: observed.layerProbe.pendingMs,
      deafMs: now - (this.#deafSince ?? now),
      watchdogMs,
    });
  }

  async #metricsText(): Promise<string> {
    const metrics = this.#metrics;
    const observed = this.#observed;
    const [checks, database, layer] = await Promise.all([
      this.#readiness(),
      observed?.storeFigures?.check(),
      observed?.layerFigures.check(),
    ]);
    metrics.readFailed.clear();
    if (database !== undefined) metrics.readFailed.set(database === null ? 0 : 1, 'database');
    if (layer !== undefined) metrics.readFailed.set(layer === null ? 0 : 1, 'layer');
    if (typeof database === 'string') clearStore(metrics);
    if (typeof layer === 'string') clearLayer(metrics);
    setProcess(metrics, {
      isReady: checks.every(({ problem }) => problem === null),
      channels: observed?.channels() ?? [],
      sockets: observed?.sockets() ?? null,
      spoolDirectory: this.#options.site.spoolDirectory,
    });
    return metricsText(metrics);
  }
}
