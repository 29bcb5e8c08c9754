// What the X-ray sees of the embedded layer.

import { setTimeout as pause } from 'node:timers/promises';
import { UndecodableError } from '../../errors.js';
import {
  type Depth,
  type LeftEvents,
  type Look,
  owesEvents,
  type ProcessRecord,
  type Report,
  type XraySource,
} from '../../xray/source.js';
import { formatId, type GroupReport, type Peeked } from '../../xray.js';
import { type Bodies, high, low } from './bodies.js';
import { LayerFileError } from './errors.js';
import type { LayerFile } from './layer-file.js';
import type { Writer } from './writer.js';
import type { StoredPeek, XrayStore } from './xray-store.js';

export interface SqliteSourceOptions {
  readonly file: LayerFile;
  readonly writer: Writer;
  readonly bodies: Bodies;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly expiryMsOf: (key: string) => number;
  readonly groupExpiryMs: number;
}

/** How often what is too old is looked for. */
const sweepEveryMs = 60_000;
/** While other processes hold the lock. */
const lastTries = 20;
const lastPauseMs = 5;

export class SqliteSource implements XraySource {
  readonly isShared = true;
  readonly hasIds = true;
  readonly #options: SqliteSourceOptions;
  #nextSweepAt = 0;

  constructor(options: SqliteSourceOptions) {
    this.#options = options;
  }

  async look(): Promise<Look> {
    const { expiryMsOf } = this.#options;
    return this.#read((store, now) => {
      const depths = new Map<string, Depth>();
      for (const { key, depth, firstExpiresAt, onLease } of store.depths(now)) {
        const oldestAt = firstExpiresAt && firstExpiresAt - expiryMsOf(key);
        depths.set(key, { depth, oldestAt, onLease });
      }
      const counts = new Map(store.counts().map(({ channel, ...counts }) => [channel, counts]));
      return { depths, counts, processes: store.processes(now) };
    });
  }

  async peek(key: string, max: number, onLease: boolean): Promise<Peeked[]> {
    const stored = this.#read((store, now) =>
      onLease ? store.onLease(key, max, now) : store.waiting(key, max, now),
    );
    return stored.map((each) => this.#peeked(key, each));
  }

  async groups(group: string | undefined): Promise<GroupReport[]> {
    const { groupExpiryMs } = this.#options;
    const members = this.#read((store, now) => store.members(group, now));
    const names = [...new Set(members.map((member) => member.group))];
    return names.map((name) => ({
      group: name,
      members: members
        .filter((member) => member.group === name)
        .map(({ channel, expiresAt }) => ({ channel, renewedAt: expiresAt - groupExpiryMs })),
    }));
  }

  async publish(report: Report): Promise<boolean> {
    const work = (store: XrayStore, now: number) => {
      // Due, or the clock was set back.
      if (now >= this.#nextSweepAt || now < this.#nextSweepAt - sweepEveryMs) {
        store.sweep(now);
        this.#nextSweepAt = now + sweepEveryMs;
      }
      return store.publish(report, now);
    };
    return report.isLast ? this.#writeLast(work) : this.#write(work);
  }

  async askForEvents(): Promise<() => Promise<readonly ProcessRecord[]>> {
    const askedAt = await this.#write((store, now) => {
      store.ask(now);
      return now;
    });
    return async () =>
      this.#read((store, now) => store.processes(now)).filter((record) => owesEvents(record, askedAt));
  }

  async leftEvents(): Promise<readonly LeftEvents[]> {
    return this.#read((store) => store.leftEvents());
  }

  #read<T>(look: (store: XrayStore, now: number) => T): T {
    const now = Math.floor(this.#options.now());
    return this.#options.file.use((store) => look(store.xray, now));
  }

  /** As one transaction, also when nothing else is written in this turn. */
  #write<T>(work: (store: XrayStore, now: number) => T): Promise<T> {
    const { writer, now } = this.#options;
    return writer.add((store) => store.atomically(() => work(store.xray, Math.floor(now()))));
  }

  /** When the writer is closed already. */
  async #writeLast(work: (store: XrayStore, now: number) => boolean): Promise<boolean> {
    const { file, now } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        // In a file that was deleted meanwhile there is nobody to tell.
        return (
          file.useIfThere((store) => store.atomically(() => work(store.xray, Math.floor(now())))) ?? false
        );
      } catch (error) {
        if (!(error instanceof LayerFileError && error.isBusy) || tries === lastTries) throw error;
        await pause(lastPauseMs);
      }
    }
  }

  #peeked(key: string, stored: StoredPeek): Peeked {
    const { channels = [key], body, deliveries, expiresAt, leaseEndsAt } = stored;
    const common = {
      id: formatId(high(body), low(body)),
      channels,
      bytes: body.length,
      deliveries,
      ...(expiresAt !== undefined && { sentAt: expiresAt - this.#options.expiryMsOf(key) }),
      ...(leaseEndsAt !== undefined && { leaseEndsAt }),
    };
    try {
      return { ...common, message: this.#options.bodies.read(body) };
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      return { ...common, error };
    }
  }
}
