// What the writer knows of each sender, and which records of a batch are new.

import type { Owner } from '../../base/process-owner.js';
import { lastOf, readBatch } from '../batch.js';
import type { Instants } from '../format/instants.js';
import type { LogRecords } from '../messages.js';
import type { Reply } from '../sender/transport.js';
import type { CarriedPosition } from './ledger.js';

/** How far the log is with one sender: `written` ≤ `taken` ≤ `heard`. */
export class SenderState {
  readonly sender: string;
  readonly epoch: string;
  /** Up to this number, everything is on disk or reported as lost. */
  written = 0;
  /** Up to this number, everything is on disk or in the queue. */
  taken = 0;
  /** The highest number that has arrived. Above `taken`, numbers arrived after a hole and were dropped. */
  heard = 0;
  /** When its last message arrived, in ms since 1970. */
  heardAt: number;
  owner: Owner | undefined;
  reply: Reply | undefined;
  /**
   * The time of its last queued record. Its next records get no earlier time, so that their order is kept.
   */
  time = Number.NEGATIVE_INFINITY;

  constructor(sender: string, epoch: string, heardAt: number) {
    this.sender = sender;
    this.epoch = epoch;
    this.heardAt = heardAt;
  }

  /** The log file has everything up to a number. */
  found(number: number): void {
    this.written = Math.max(this.written, number);
    this.taken = Math.max(this.taken, this.written);
    this.heard = Math.max(this.heard, this.taken);
  }
}

/**
 * What the writer's queue holds: the numbers `from` … `to` of one sender.
 *
 * - `records`: whole records that were logged at one time; `bytes` holds them.
 * - `lost`: records that can no longer arrive. A note reports them.
 * - `elsewhere`: records that were acknowledged, so a file had them, but someone has removed that file. A
 *   note says where the sender continues.
 */
export interface QueueEntry {
  readonly kind: 'records' | 'lost' | 'elsewhere';
  readonly state: SenderState;
  readonly from: number;
  readonly to: number;
  readonly bytes: Buffer;
  /** Orders the entries of all senders, in ms since 1970. */
  readonly time: number;
}

const nothing = Buffer.alloc(0);

/** Holds the state of each sender. Knows neither files nor layers. */
export class Inbox {
  readonly #states = new Map<string, SenderState>();
  readonly #instants: Instants | undefined;

  /** @param instants reads the times of records; undefined where the order of arrival counts */
  constructor(instants?: Instants) {
    this.#instants = instants;
  }

  *[Symbol.iterator](): IterableIterator<SenderState> {
    yield* this.#states.values();
  }

  /** How far the log is with each sender. */
  get positions(): CarriedPosition[] {
    const known = [...this].filter(({ written }) => written > 0);
    return known.map(({ sender, epoch, written }): CarriedPosition => [sender, epoch, written]);
  }

  /** The state of a sender; a new one if the sender is unknown. */
  stateOf(sender: string, epoch: string, now: number): SenderState {
    const key = keyOf({ sender, epoch });
    let state = this.#states.get(key);
    if (state === undefined) {
      state = new SenderState(sender, epoch, now);
      this.#states.set(key, state);
    }
    return state;
  }

  forget(state: SenderState): void {
    this.#states.delete(keyOf(state));
  }

  /**
   * The entries that a batch adds to the queue. None if the batch is known, or leaves a hole: then its sender
   * repeats everything from the hole on.
   *
   * @throws BadBatchError when the bytes are not the announced records
   */
  accept(batch: LogRecords, now: number): QueueEntry[] {
    const whole = inBuffer(batch.bytes);
    const cuts = this.#cut(batch, whole);
    const state = this.stateOf(batch.sender, batch.epoch, now);
    state.heard = Math.max(state.heard, lastOf(batch));
    const entries: QueueEntry[] = [];
    const skipTo = (kind: 'lost' | 'elsewhere', to: number) => {
      if (to > state.taken) entries.push(this.#skipTo(state, kind, to, now));
    };
    skipTo('elsewhere', batch.acked);
    skipTo('lost', batch.base - 1);
    if (batch.first > state.taken + 1) return entries;
    for (const { from, to, begin, end, at } of cuts) {
      if (to <= state.taken) continue;
      // A sender whose clock is ahead must not delay other records.
      state.time = Math.max(state.time, Math.min(at, now));
      state.taken = to;
      const bytes = whole.subarray(begin, end);
      entries.push({ kind: 'records', state, from, to, bytes, time: state.time });
    }
    return entries;
  }

  /**
   * The missing records are nowhere, and their sender is dead: reports them as lost, with those that were
   * dropped.
   */
  giveUpHole(state: SenderState, now: number): QueueEntry {
    return this.#skipTo(state, 'lost', state.heard, now);
  }

  #skipTo(state: SenderState, kind: 'lost' | 'elsewhere', to: number, now: number): QueueEntry {
    const from = state.taken + 1;
    state.taken = to;
    state.heard = Math.max(state.heard, to);
    state.time = Math.max(state.time, now);
    return { kind, state, from, to, bytes: nothing, time: state.time };
  }

  /** Checks the records of a batch. @returns runs of records with one time; a run is either known or new */
  #cut(batch: LogRecords, bytes: Buffer): Cut[] {
    const known = this.#states.get(keyOf(batch))?.taken ?? 0;
    const cuts: Cut[] = [];
    let last: Cut | undefined;
    let [time, begin] = ['', 0];
    readBatch(bytes, batch.sender, batch, (head, end) => {
      const { number } = head;
      if (
        last !== undefined &&
        number !== known + 1 &&
        (this.#instants === undefined || head.time === time)
      ) {
        last.to = number;
        last.end = end;
      } else {
        time = head.time;
        const at = this.#instants?.of(time) || Number.POSITIVE_INFINITY;
        last = { from: number, to: number, begin, end, at };
        cuts.push(last);
      }
      begin = end;
    });
    return cuts;
  }
}

/** Records `from` … `to`, in the bytes `begin` … `end`. */
interface Cut {
  readonly from: number;
  to: number;
  readonly begin: number;
  end: number;
  /** When they were logged, in ms since 1970. */
  readonly at: number;
}

function keyOf({ sender, epoch }: Pick<SenderState, 'sender' | 'epoch'>): string {
  return `${sender} ${epoch}`;
}

function inBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}
