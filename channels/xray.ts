// What a layer tells of itself to those who look after it: how full its channels are, what lies on them, who is in
// which group, and what became of one message. Looking takes nothing and disturbs nobody.

import type { Received } from './application.js';
import { InvalidOptionError } from './errors.js';
import type { WaitOptions } from './layer.js';

/** The state of a layer, over all its processes. */
export interface LayerStats {
  /** When this was looked at, in ms since 1970. */
  readonly at: number;
  /** By name. Those that hold messages, those on which somebody waits, and those that were used within a day. */
  readonly channels: readonly ChannelFigures[];
  /** Processes with a layer object that has sent or received and is not closed, the oldest first. */
  readonly processes: readonly LayerProcess[];
}

/**
 * One channel. What is counted are the messages of linod's processes, since the channel was first used and until it
 * was unused for a day; the counts are up to a second late. `depth`, `onLease` and `oldestAgeMs` are what lies in the
 * store now, whoever sent it.
 */
export interface ChannelFigures {
  /**
   * Its name. All process-specific channels of a kind are one, as `specific.*!`. Each process counts the first thousand
   * channels that it uses in a day by their names, and what it does with further ones as `*`.
   */
  readonly channel: string;
  /** Messages that wait, also those that come again after a lease. */
  readonly depth: number;
  /** How long the first of them has waited. Undefined when there is none, or where the layer does not know. */
  readonly oldestAgeMs?: number | undefined;
  /** How many messages may wait, by the options of the layer object that was asked. On Redis: on each host. */
  readonly capacity: number;
  /** Processes that wait for messages of the channel, or took some within the last second. */
  readonly receivers: number;
  /** Messages that were handed out on lease and are not acknowledged. */
  readonly onLease: number;
  /** Messages that were accepted. A group's message counts once for each key that it went to. */
  readonly sent: number;
  /** Messages that were handed to a receiver, each time anew. */
  readonly received: number;
  /** Messages for which the channel was full. */
  readonly refused: number;
  /** Messages that were thrown away, as `onDrop` is told. */
  readonly dropped: number;
  /** Those among the received that had been handed out before. */
  readonly redelivered: number;
  /** For process-specific channels: the keys that hold messages, the fullest first, at most ten. `peek` takes them. */
  readonly keys?: ReadonlyArray<{ readonly key: string; readonly depth: number }> | undefined;
}

/** A process, or rather a layer object in it. */
export interface LayerProcess {
  /** Another one for every layer object. */
  readonly id: string;
  /** The name of its program: `runworker`. */
  readonly name: string;
  readonly pid: number;
  /** The name of its machine. */
  readonly host: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** When it last showed that it lives, in ms since 1970: every second while it works, else every ten. */
  readonly seenAt: number;
  /** The channels on which it waits for messages. */
  readonly receives: readonly string[];
}

export interface PeekOptions {
  /** The most messages to look at. Default 10. */
  readonly max?: number | undefined;
  /** Look at what is on lease, instead of what waits; what is over first comes first. Default false. */
  readonly onLease?: boolean | undefined;
}

/** A message that was looked at and stays where it is. */
export interface Peeked {
  /** What `trace` takes; empty where messages have none, as on PubSub. */
  readonly id: string;
  /** The full names that it is for: for a process-specific key perhaps several, else the channel. */
  readonly channels: readonly string[];
  /** The message; undefined when it cannot be read, and then `error` says why. */
  readonly message?: Received | undefined;
  readonly error?: Error | undefined;
  /** Its size in the store. */
  readonly bytes: number;
  /** Milliseconds since 1970, by the sender's clock. On SQLite reckoned from its expiry; undefined for what was leased. */
  readonly sentAt?: number | undefined;
  /** How many times it was handed out on lease. */
  readonly deliveries: number;
  /** When its lease is over, in ms since 1970; only with `onLease`. */
  readonly leaseEndsAt?: number | undefined;
}

/** A group and its members, whose memberships have not ended. */
export interface GroupReport {
  readonly group: string;
  /** The longest unrenewed first. */
  readonly members: readonly GroupMember[];
}

export interface GroupMember {
  readonly channel: string;
  /** When it was last added, in ms since 1970. Undefined where the layer does not keep it. */
  readonly renewedAt?: number | undefined;
}

/**
 * What happened to a message:
 *
 * - `sent`: it was accepted;
 * - `received`, `redelivered`: it was handed to a receiver, for the first time, or after it had been handed out before;
 * - `started`, `handled`, `failed`: a worker gave it to its handler; the handler came to its end, or threw;
 * - `acknowledged`, `released`: its lease was ended by its receiver;
 * - `returned`: a worker that stopped put it back unhandled;
 * - `dropped`: it was thrown away: nobody could read it, or handle it, or it had waited for too long;
 * - `dead`: it was handed out too often and lies on the dead-letter channel.
 */
export type TraceEventName = (typeof traceEventNames)[number];

export const traceEventNames = [
  'sent',
  'received',
  'redelivered',
  'started',
  'handled',
  'failed',
  'acknowledged',
  'released',
  'returned',
  'dropped',
  'dead',
] as const;

export interface TraceEvent {
  /** Milliseconds since 1970, by the clock of the process. */
  readonly at: number;
  readonly event: TraceEventName;
  /** As in `ChannelFigures`. */
  readonly channel: string;
  readonly process: Pick<LayerProcess, 'id' | 'name' | 'pid' | 'host'>;
}

export interface Trace {
  readonly id: string;
  /**
   * In the order of time, as far as the clocks of the processes can be believed: each process's own order holds
   * whatever they say, and so does that a message is sent before it is received. Empty when no process remembers it.
   */
  readonly events: readonly TraceEvent[];
  /** Where it lies now, if it waits among the first thousand messages of the channel that the events name. */
  readonly waiting?: Peeked | undefined;
  /**
   * Processes that may know of it and did not answer in time. When there are none, nothing was missed but what is too
   * old, or what happened within the last second in a process that stands still.
   */
  readonly silent: readonly LayerProcess[];
}

/** What a worker says of a message that it took. */
export type HandlingEvent = Extract<
  TraceEventName,
  'started' | 'handled' | 'failed' | 'returned' | 'dropped'
>;

/** Writes an event into a trace. `high` and `low` are the two halves of a message's id, `at` is in ms since 1970. */
export type NoteEvent = (event: TraceEventName, high: number, low: number, at: number | undefined) => void;

/**
 * Names the messages that one call sent or received: made by the caller, filled in by the layer, and free for those
 * who hand over none.
 *
 * @example
 * const receipt = new Receipt();
 * await layer.send('mail', letter, { receipt });
 * console.log(receipt.id());
 */
export class Receipt {
  readonly #halves: Array<number | undefined> = [];
  #note: NoteEvent | undefined;

  /** How many messages the call was about. */
  get length(): number {
    return this.#halves.length / 2;
  }

  /** The id of the message at a place, as `trace` takes it; undefined for one that was refused. */
  id(index = 0): string | undefined {
    const [high, low] = [this.#halves[2 * index], this.#halves[2 * index + 1]];
    return high === undefined || low === undefined ? undefined : formatId(high, low);
  }

  /** The ids of all of them, in their order. */
  get ids(): Array<string | undefined> {
    return Array.from({ length: this.length }, (_, index) => this.id(index));
  }

  /** Has the trace of a message that was received tell what became of it, at `at` ms since 1970; default now. */
  note(index: number, event: HandlingEvent, at?: number): void {
    const [high, low] = [this.#halves[2 * index], this.#halves[2 * index + 1]];
    if (high !== undefined && low !== undefined) this.#note?.(event, high, low, at);
  }

  /** For layers: adds the next message; without an id when it was refused. */
  add(high: number | undefined, low: number | undefined): void {
    this.#halves.push(high, low);
  }

  /** For layers: says where `note` goes. */
  notesGoTo(note: NoteEvent): void {
    this.#note = note;
  }
}

/** What a layer with the extension `stats` can be asked; those without it reject with InvalidOptionError. */
export interface Xray {
  /**
   * Tells how all channels are doing, over all processes and hosts.
   *
   * @throws LayerUnavailableError
   */
  stats(): Promise<LayerStats>;

  /**
   * Looks at the next messages of a channel, in the order in which they would be received. They stay there, and
   * nobody notices. `channel` may also be a process-specific channel, or the key of a process, up to the `!`.
   *
   * @throws InvalidNameError, InvalidOptionError, LayerUnavailableError
   */
  peek(channel: string, options?: PeekOptions): Promise<Peeked[]>;

  /** Tells who is in which group; of one group, or of all, by name. @throws InvalidNameError, LayerUnavailableError */
  groups(group?: string): Promise<GroupReport[]>;

  /**
   * Tells what became of one message, by what all processes remember: each its last few thousand events. Only with the
   * extension `trace`. Takes a second or two, at most six.
   *
   * @param id from a `Receipt`, `Leased.id` or `Peeked.id`
   * @throws InvalidOptionError for what is no id, LayerUnavailableError, the signal's reason
   */
  trace(id: string, options?: WaitOptions): Promise<Trace>;
}

/** Writes the two halves of an id, 32 bits each, as 16 hexadecimal digits. */
export function formatId(high: number, low: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

/** Reads an id; upper case will do. @throws InvalidOptionError */
export function parseId(id: unknown): readonly [high: number, low: number] {
  if (typeof id !== 'string' || !/^[\da-f]{16}$/i.test(id))
    throw new InvalidOptionError('id', '16 hexadecimal digits', id);
  return [Number.parseInt(id.slice(0, 8), 16), Number.parseInt(id.slice(8), 16)];
}
