// Many numbered messages: sending them, and who received which.

import { setTimeout as pause } from 'node:timers/promises';
import type { ChannelLayer } from '../../channels/index.js';

/** How many messages a flood is, an even number: `FLOOD_MESSAGES=10000` for more. */
export const total = Number(process.env.FLOOD_MESSAGES ?? 1000);
/** All numbers, in order. */
export const range: readonly number[] = Array.from({ length: total }, (_, n) => n);
/** Where nobody is told that there is no room, as in a group, there is room. */
export const roomForAll = total + 1;

/** The numbers `first`, `first + step`…, so many of them. */
export interface Numbers {
  readonly first: number;
  readonly count: number;
  readonly step: number;
}

export const all: Numbers = { first: 0, count: total, step: 1 };
export const evens: Numbers = { first: 0, count: total / 2, step: 2 };
export const odds: Numbers = { first: 1, count: total / 2, step: 2 };

export function inOrder(numbers: readonly number[]): number[] {
  return [...numbers].sort((a, b) => a - b);
}

/** The numbers that each receiver got, by the receiver's name. Receivers of both languages write to one. */
export class Harvest {
  readonly #byReceiver = new Map<string, number[]>();
  readonly #unique = new Set<number>();

  add(receiver: string, numbers: readonly number[]): void {
    const received = this.#byReceiver.get(receiver) ?? [];
    this.#byReceiver.set(receiver, received);
    for (const n of numbers) {
      received.push(n);
      this.#unique.add(n);
    }
  }

  /** In the order in which they came. */
  of(receiver: string): readonly number[] {
    return this.#byReceiver.get(receiver) ?? [];
  }

  /** How many different numbers there are. */
  get size(): number {
    return this.#unique.size;
  }

  /** Who got each number that came more than once. */
  doubles(): Map<number, string[]> {
    const receivers = new Map<number, string[]>();
    for (const [receiver, numbers] of this.#byReceiver)
      for (const n of numbers) receivers.set(n, [...(receivers.get(n) ?? []), receiver]);
    return new Map([...receivers].filter(([, names]) => names.length > 1));
  }

  /** Waits until so many different numbers are there; or so many in the hands of each of these receivers. */
  async complete(count: number, receivers?: readonly string[]): Promise<void> {
    const found = () =>
      receivers === undefined ? this.size : Math.min(...receivers.map((name) => this.of(name).length));
    let last = { found: found(), at: performance.now() };
    while (last.found < count) {
      await pause(lookEveryMs);
      if (found() > last.found) last = { found: found(), at: performance.now() };
      if (performance.now() - last.at > patienceMs)
        throw new Error(`${last.found} of ${count} numbers arrived, and no more for ${patienceMs} ms`);
    }
  }
}

const lookEveryMs = 5;
/** So long nothing may arrive on a busy machine. */
const patienceMs = 120_000;
const batch = 50;
/** A full channel is tried again after so long, in which a slow receiver does not empty one with room for a hundred. */
const whenFullMs = 20;

function numbered(n: number) {
  return { type: 'flood.number', n, text: 'Tere õhtust 日本' };
}

function* in50s({ first, count, step }: Numbers): Generator<number[]> {
  for (let i = 0; i < count; i += batch)
    yield Array.from({ length: Math.min(batch, count - i) }, (_, j) => first + (i + j) * step);
}

/** Sends numbers to a channel in batches, waiting for room when it is full. Returns how often it was. */
export async function sendNumbers(layer: ChannelLayer, channel: string, numbers: Numbers): Promise<number> {
  let refusals = 0;
  for (let rest of in50s(numbers)) {
    for (;;) {
      const outcomes = await layer.sendMany(channel, rest.map(numbered));
      rest = rest.filter((_, i) => outcomes[i]?.accepted === false);
      if (rest.length === 0) break;
      refusals++;
      await pause(whenFullMs);
    }
  }
  return refusals;
}

/** Sends numbers to a group. */
export async function groupSendNumbers(layer: ChannelLayer, group: string, numbers: Numbers): Promise<void> {
  for (const some of in50s(numbers)) await Promise.all(some.map((n) => layer.groupSend(group, numbered(n))));
}

/** Receives numbers until the signal; resolves then. */
export async function receiveNumbers(
  layer: ChannelLayer,
  channel: string,
  to: { readonly harvest: Harvest; readonly name: string; readonly signal: AbortSignal },
): Promise<void> {
  const { harvest, name, signal } = to;
  try {
    for (;;)
      harvest.add(
        name,
        (await layer.receiveMany(channel, { max: batch, signal })).map(({ n }) => Number(n)),
      );
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
