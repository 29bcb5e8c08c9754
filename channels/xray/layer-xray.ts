// The X-ray of one layer object: the answers to those who look.

import { setTimeout as pause } from 'node:timers/promises';
import { InvalidOptionError } from '../errors.js';
import { checkChannelName, checkGroupName, messageKey, type WaitOptions } from '../layer.js';
import { deadLetterChannel } from '../leases.js';
import {
  type ChannelFigures,
  formatId,
  type GroupReport,
  type LayerStats,
  type Peeked,
  type PeekOptions,
  parseId,
  type Trace,
  type TraceEvent,
  type Xray,
} from '../xray.js';
import { inOrder } from './order.js';
import { Publisher } from './publisher.js';
import type { Recorder } from './recorder.js';
import { type RingEvent, readEvents } from './ring.js';
import {
  type Depth,
  identifyProcess,
  type ProcessIdentity,
  type ProcessRecord,
  type XraySource,
} from './source.js';
import { countedName, noCounts } from './tally.js';

export interface LayerXrayOptions {
  /** What the layer sees on its store. */
  readonly source: XraySource;
  /** What the layer tells of its messages; undefined when it tells nothing. */
  readonly recorder: Recorder | undefined;
  readonly capacity: (channel: string) => number;
  /** The message keys under which somebody waits in this process. */
  readonly receives: () => Iterable<string>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Default `checkChannelName`. */
  readonly checkChannel?: ((channel: string) => unknown) | undefined;
}

/** So many fullest keys of processes are named. */
const mostKeys = 10;
/** A process that had been idle publishes a second after the first thing that happens. */
const settleMs = 1500;
const lookAgainMs = 200;
const answerWithinMs = 6000;
/** How many messages are looked through to find one. */
const lookedThrough = 1000;

export class LayerXray implements Xray {
  readonly #options: LayerXrayOptions;
  readonly #process: ProcessIdentity;
  readonly #publisher: Publisher | undefined;

  constructor(options: LayerXrayOptions) {
    this.#options = options;
    this.#process = identifyProcess(Math.round(options.now()));
    const { recorder, source } = options;
    const receives = () => [...new Set(Array.from(options.receives(), countedName))];
    this.#publisher = recorder && new Publisher({ process: this.#process, recorder, source, receives });
  }

  async stats(): Promise<LayerStats> {
    await this.#publisher?.publishNow();
    const { depths, counts, processes } = await this.#options.source.look();
    const at = this.#options.now();
    const alive = processes.filter(({ isAlive }) => isAlive).sort((a, b) => a.startedAt - b.startedAt);
    const keysOf = keysByName(depths);
    const waitedFor = alive.flatMap(({ receives }) => receives);
    const names = [...new Set([...keysOf.keys(), ...counts.keys(), ...waitedFor])].sort();
    const channels = names.map((channel): ChannelFigures => {
      const keys = keysOf.get(channel) ?? [];
      const oldestAt = least(keys.map(([, { oldestAt }]) => oldestAt));
      return {
        channel,
        depth: sum(keys.map(([, { depth }]) => depth)),
        oldestAgeMs: oldestAt === undefined ? undefined : Math.max(0, at - oldestAt),
        capacity: this.#options.capacity(channel),
        receivers:
          known(keys.map(([, { receivers }]) => receivers)) ??
          alive.filter(({ receives }) => receives.includes(channel)).length,
        onLease: sum(keys.map(([, { onLease }]) => onLease)),
        ...(counts.get(channel) ?? noCounts),
        ...(channel.endsWith('!') && { keys: fullest(keys) }),
      };
    });
    return { at, channels, processes: alive.map(publicRecord) };
  }

  async peek(channel: string, { max = 10, onLease = false }: PeekOptions = {}): Promise<Peeked[]> {
    (this.#options.checkChannel ?? checkChannelName)(channel);
    if (!Number.isSafeInteger(max) || max < 1)
      throw new InvalidOptionError('max', 'a positive whole number', max);
    const key = messageKey(channel);
    if (key === channel) return this.#options.source.peek(key, max, onLease);
    const peeked = await this.#options.source.peek(key, Math.max(max, lookedThrough), onLease);
    return peeked.filter(({ channels }) => channels.includes(channel)).slice(0, max);
  }

  async groups(group?: string): Promise<GroupReport[]> {
    if (group !== undefined) checkGroupName(group);
    const reports = await this.#options.source.groups(group);
    return reports.sort((a, b) => (a.group < b.group ? -1 : 1));
  }

  async trace(id: string, { signal }: WaitOptions = {}): Promise<Trace> {
    const [high, low] = parseId(id);
    if (!this.#options.source.hasIds)
      throw new InvalidOptionError('id', 'left out: the messages of this layer have no ids', id);
    signal?.throwIfAborted();
    const silent = await this.#waitForEvents(signal);
    const left = await this.#options.source.leftEvents();
    const others = left
      .filter(({ process }) => process.id !== this.#process.id)
      .map(({ process, pieces }) =>
        pieces.flatMap((piece) => readEvents(piece, high, low)).map((event) => traceEvent(event, process)),
      );
    const own = this.#options.recorder?.ring.of(high, low) ?? [];
    const events = inOrder([...others, own.map((event) => traceEvent(event, this.#process))]);
    return {
      id: formatId(high, low),
      events,
      waiting: await this.#find(id.toLowerCase(), events),
      silent: silent.map(publicRecord),
    };
  }

  /** Leaves what is known for those who look later. Safe to call twice. */
  async close(): Promise<void> {
    await this.#publisher?.close();
  }

  /** Returns those that have not answered in time. */
  async #waitForEvents(signal: AbortSignal | undefined): Promise<readonly ProcessRecord[]> {
    const { source } = this.#options;
    if (!source.isShared) return [];
    const unanswered = await source.askForEvents();
    const giveUpAt = performance.now() + answerWithinMs;
    for (let pauseMs = settleMs; ; pauseMs = lookAgainMs) {
      await waitFor(pauseMs, signal);
      const silent = (await unanswered()).filter(({ id }) => id !== this.#process.id);
      if (silent.length === 0 || performance.now() >= giveUpAt) return silent;
    }
  }

  /** Where the message waits, by what is known of its channels. */
  async #find(id: string, events: readonly TraceEvent[]): Promise<Peeked | undefined> {
    const channels = new Set(events.map(({ channel }) => channel).filter((name) => !name.includes('*')));
    if (events.some(({ event }) => event === 'dead'))
      for (const channel of [...channels]) channels.add(deadLetterChannel(channel));
    for (const channel of channels) {
      const peeked = await this.#options.source.peek(channel, lookedThrough, false);
      const found = peeked.find((each) => each.id === id);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

type KeyDepth = readonly [key: string, depth: Depth];

function keysByName(depths: ReadonlyMap<string, Depth>): Map<string, KeyDepth[]> {
  const byName = new Map<string, KeyDepth[]>();
  for (const keyDepth of depths) {
    const name = countedName(keyDepth[0]);
    const keys = byName.get(name);
    if (keys === undefined) byName.set(name, [keyDepth]);
    else keys.push(keyDepth);
  }
  return byName;
}

function fullest(keys: readonly KeyDepth[]): ReadonlyArray<{ readonly key: string; readonly depth: number }> {
  return keys
    .map(([key, { depth }]) => ({ key, depth }))
    .filter(({ depth }) => depth > 0)
    .sort((a, b) => b.depth - a.depth)
    .slice(0, mostKeys);
}

function publicRecord({ id, name, pid, host, startedAt, seenAt, receives }: ProcessRecord) {
  return { id, name, pid, host, startedAt, seenAt, receives };
}

function traceEvent(event: RingEvent, { id, name, pid, host }: ProcessIdentity): TraceEvent {
  return { ...event, process: { id, name, pid, host } };
}

/** @throws the signal's reason */
async function waitFor(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await pause(ms, undefined, { ...(signal && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** The sum of those that are known, undefined when none is. */
function known(numbers: ReadonlyArray<number | undefined>): number | undefined {
  const found = numbers.filter((each) => each !== undefined);
  return found.length === 0 ? undefined : sum(found);
}

function least(numbers: ReadonlyArray<number | undefined>): number | undefined {
  const known = numbers.filter((each) => each !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
