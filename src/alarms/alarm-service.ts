// Watches a site and reports what is wrong: in each worker, in the console, and in `linod serve`.
//
// One process at a time watches the site, by a lease. Each watches the disks of its own machine.

import { hostname } from 'node:os';
import type { ChannelLayer } from '../../channels/index.js';
import { type Clock, systemClock } from '../base/clock.js';
import type { Logger } from '../log/logger.js';
import { Lease } from '../membership/lease.js';
import type { Site } from '../site/site.js';
import type { AlarmRow, WorkerRow } from '../store/schema.js';
import type { Store } from '../store/store.js';
import { Deliveries } from './delivery/deliveries.js';
import { waysOf } from './delivery/ways.js';
import { type Channels, channelFigures, localFindings, siteFindings } from './findings.js';
import { Incidents } from './incidents.js';
import { forgottenMs, localKinds } from './kinds.js';

/** The time between two passes. */
const everyMs = 5000;
/** Counting the messages of a layer may go through all its keys: it waits so many times as long as it took. */
const channelsPause = 50;

export interface AlarmServiceOptions {
  readonly site: Site;
  readonly store: Store;
  readonly layer: ChannelLayer;
  readonly logger: Logger;
  /** That of the database. */
  readonly clock: Clock;
  /** Who watches: a worker's id, or another name. */
  readonly watcher: string;
  /** When the worker was started; null for another program. */
  readonly startedAt: number | null;
  /** The workers that live. */
  readonly workers: () => Promise<readonly WorkerRow[]>;
}

export class AlarmService {
  readonly #options: AlarmServiceOptions;
  readonly #lease: Lease;
  readonly #incidents: Incidents;
  readonly #deliveries: Deliveries;
  #channels: Channels = null;
  #countAt = 0;
  #isOutageReported: boolean;
  #isFailing = false;
  #isClosed = false;
  #cancel: () => void = () => undefined;
  #pass: Promise<void> = Promise.resolve();

  constructor(options: AlarmServiceOptions) {
    const { site, store, clock, logger, watcher, startedAt } = options;
    // A wrong setting stops no worker, and no other way.
    const ways = waysOf(site, (error) => logger.error('alarms do not go out by one of the ways', { error }));
    this.#options = options;
    this.#lease = new Lease(store.db, clock, 'alarms', watcher);
    const names = ways.map(({ name }) => name);
    this.#incidents = new Incidents(store.db, names);
    this.#deliveries = new Deliveries({ db: store.db, clock, site: site.name, ways, logger });
    this.#isOutageReported = startedAt === null;
  }

  /** Begins to watch. Somebody who may only read the database cannot. */
  start(): void {
    if (!this.#options.store.isReadOnly) this.#schedule(0);
  }

  /** Lets another process watch. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    await this.#pass;
    await this.#deliveries.close();
    await this.#lease.release().catch(() => undefined); // it expires
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    this.#cancel = systemClock.after(delayMs, () => {
      this.#pass = this.#tick().finally(() => this.#schedule(everyMs));
    });
  }

  /** Never rejects. */
  async #tick(): Promise<void> {
    try {
      await this.#watch();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#options.logger.warning('nobody watches for alarms now', { error });
      this.#isFailing = true;
    }
  }

  async #watch(): Promise<void> {
    const { site, store, clock, watcher, startedAt, workers, logger } = this.#options;
    const leads = await this.#lease.acquire();
    if (leads && !this.#isOutageReported && startedAt !== null) {
      await this.#incidents.reportOutage({ id: watcher, startedAt });
      this.#isOutageReported = true;
    }
    const findings = localFindings(site);
    if (leads) {
      await this.#countMessages();
      const watched = { site, db: store.db, clock, workers: await workers(), channels: this.#channels };
      findings.push(...(await siteFindings(watched)));
    }
    const own = `${hostname()} `;
    const now = clock.now();
    const isJudged = ({ kind, subject, seen_at }: AlarmRow) => {
      // A machine that is gone, such as an old container, cannot say that it is well again.
      if (localKinds.has(kind))
        return `${subject} `.startsWith(own) || (leads && seen_at < now - forgottenMs);
      return leads && (kind !== 'channel-full' || this.#channels !== null);
    };
    const { raised, cleared } = await this.#incidents.update(findings, isJudged, now);
    for (const { id, kind, text } of raised) logger.error(`alarm ${id}, ${kind}: ${text}`);
    for (const { id, kind, text } of cleared) logger.info(`alarm ${id}, ${kind}, is over: ${text}`);
    if (leads) this.#deliveries.begin();
  }

  async #countMessages(): Promise<void> {
    const { site, layer } = this.#options;
    const begin = performance.now();
    if (begin < this.#countAt) return;
    this.#channels = await channelFigures(site, layer);
    this.#countAt = begin + channelsPause * (performance.now() - begin);
  }
}
