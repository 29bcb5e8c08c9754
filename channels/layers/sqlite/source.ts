// What can be seen of the embedded layer without taking it.

import { UndecodableError } from '../../errors.js';
import {
  type DeadLetterReport,
  deadLetterChannel,
  deadLetterReport,
  deadLetterSuffix,
} from '../../leases.js';
import type { GroupReport, KeyDepth, Peeked } from '../../stats.js';
import { readBody } from './bodies.js';
import type { LayerFile } from './layer-file.js';
import type { LookStore, StoredPeek } from './look-store.js';

export interface SqliteSourceOptions {
  readonly file: LayerFile;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly expiryMsOf: (key: string) => number;
  readonly groupExpiryMs: number;
}

export class SqliteSource {
  readonly #options: SqliteSourceOptions;

  constructor(options: SqliteSourceOptions) {
    this.#options = options;
  }

  depths(): KeyDepth[] {
    const stored = this.#read((store, now) => store.depths(now));
    return stored.map(({ key, depth, firstExpiresAt, onLease }) => {
      const oldestAt = firstExpiresAt && firstExpiresAt - this.#options.expiryMsOf(key);
      return { key, depth, oldestAt, onLease };
    });
  }

  peek(key: string, max: number, onLease: boolean): Peeked[] {
    const stored = this.#read((store, now) =>
      onLease ? store.onLease(key, max, now) : store.waiting(key, max, now),
    );
    return stored.map((each) => this.#peeked(key, each));
  }

  groups(group: string | undefined): GroupReport[] {
    const members = this.#read((store, now) => store.members(group, now));
    const names = [...new Set(members.map((member) => member.group))];
    return names.map((name) => ({
      group: name,
      members: members
        .filter((member) => member.group === name)
        .map(({ channel, expiresAt }) => ({ channel, renewedAt: expiresAt - this.#options.groupExpiryMs })),
    }));
  }

  deadLetters(channel: string | undefined, max: number): DeadLetterReport[] {
    const rows = this.#read((store) => store.dead(channel && deadLetterChannel(channel)));
    const reports = rows.flatMap(({ key, place, body, expires_at }) => {
      const diedAt = expires_at - this.#options.expiryMsOf(key);
      const from = key.slice(0, -deadLetterSuffix.length);
      const peeked = this.#peeked(key, { channels: undefined, body, deliveries: 0 });
      return peeked.message ? deadLetterReport(from, peeked.message, { id: String(place), diedAt }) : [];
    });
    return reports.slice(0, max);
  }

  #read<T>(look: (store: LookStore, now: number) => T): T {
    return this.#options.file.use((store) => look(store.look, Math.floor(this.#options.now())));
  }

  #peeked(key: string, stored: StoredPeek): Peeked {
    const { channels = [key], body, deliveries, expiresAt, leaseEndsAt } = stored;
    const common = {
      channels,
      bytes: body.length,
      deliveries,
      ...(expiresAt !== undefined && { sentAt: expiresAt - this.#options.expiryMsOf(key) }),
      ...(leaseEndsAt !== undefined && { leaseEndsAt }),
    };
    try {
      return { ...common, message: readBody(body) };
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      return { ...common, error };
    }
  }
}
