// The leases and dead letters of the embedded layer.

import { encode } from '../../codec/msgpack.js';
import { UndecodableError } from '../../errors.js';
import {
  type DeadLetterReport,
  deadLetterChannel,
  deadLetterReport,
  deadLetterSuffix,
  type Leased,
  LeasedMessage,
  type LeaseKeeper,
  type Leases,
} from '../../leases.js';
import type { LayerRules } from '../base-layer.js';
import { readBody, readIfPossible } from './body.js';
import type { LayerFile } from './layer-file.js';
import type { LeasedRow, LeaseToken } from './lease-store.js';
import type { Waiting } from './waiting.js';
import type { Writer } from './writer.js';

export interface SqliteLeasesOptions extends LayerRules {
  readonly file: LayerFile;
  readonly writer: Writer;
  readonly waiting: Waiting;
}

export class SqliteLeases implements Leases {
  readonly #options: SqliteLeasesOptions;
  readonly #keeper: LeaseKeeper<LeaseToken>;

  constructor(options: SqliteLeasesOptions) {
    this.#options = options;
    const { writer, waiting, now } = options;
    this.#keeper = {
      ack: (token) => writer.add((store) => store.leases.acknowledge(token)),
      extend: async (token, leaseMs) => {
        const isInTime = await writer.add((store) => store.leases.extend(token, leaseMs, now()));
        waiting.wake(token.key);
        return isInTime;
      },
      release: async (token, untried) => {
        const isInTime = await writer.add((store) => store.leases.release(token, untried, now()));
        waiting.wake(token.key);
        return isInTime;
      },
    };
  }

  async receive(channel: string, max: number, leaseMs: number, signal?: AbortSignal): Promise<Leased[]> {
    for (;;) {
      const rows = await this.#options.waiting.lease(channel, max, leaseMs, signal);
      const leased = rows.flatMap((row) => this.#leased(channel, row));
      if (leased.length > 0) return leased;
    }
  }

  async deadLetters(channel: string | undefined, max: number): Promise<DeadLetterReport[]> {
    const { file, expiryMsOf } = this.#options;
    const key = channel === undefined ? null : deadLetterChannel(channel);
    const rows = file.read((store) => store.deadLetters(key));
    const reports = rows.flatMap(({ key, position, body, expires_at }) => {
      const message = readIfPossible(body);
      const where = { id: `${position}-${expires_at}`, diedAt: expires_at - expiryMsOf(key) };
      return message === undefined
        ? []
        : deadLetterReport(key.slice(0, -deadLetterSuffix.length), message, where);
    });
    return reports.slice(0, max);
  }

  async redrive(channel: string, ids: readonly string[] | undefined): Promise<number> {
    const { writer, waiting, now, expiryMsOf } = this.#options;
    const letters = await this.deadLetters(channel, Number.MAX_SAFE_INTEGER);
    const chosen = letters.filter(({ id }) => ids?.includes(id) ?? true);
    const capacity = this.#options.capacity(channel);
    const count = await writer.add((store) =>
      store.atomically(() => {
        let moved = 0;
        for (const { id, message } of chosen) {
          const at = now();
          if (!store.hasRoom(channel, capacity, at)) break;
          const [position = '', expiresAt = ''] = id.split('-');
          if (!store.removeAt(deadLetterChannel(channel), Number(position), Number(expiresAt))) continue;
          const expires = Math.ceil(at + expiryMsOf(channel));
          const common = { key: channel, channels: [channel], capacity, now: at, expiresAt: expires };
          if (store.put({ ...common, body: encode(message) })) moved++;
        }
        return moved;
      }),
    );
    waiting.wake(channel);
    return count;
  }

  /** Returns none for an undecodable message, and acknowledges it. */
  #leased(channel: string, row: LeasedRow): Leased[] {
    const { key, id, token, body, deliveries } = row;
    try {
      const lease = { key, id, token };
      return [new LeasedMessage(this.#keeper, lease, { channel, message: readBody(body), deliveries })];
    } catch (error) {
      if (!(error instanceof UndecodableError)) throw error;
      this.#options.onDrop?.({ channel, reason: 'undecodable', error });
      this.#keeper.ack(row).catch(() => {
        // The message is delivered again later, and then dropped.
      });
      return [];
    }
  }
}
