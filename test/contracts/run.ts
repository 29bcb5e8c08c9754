// How contracts are run: suites of tests that each layer's test file runs with its own medium. And what they share.

import t, { type Test } from 'tap';
import type { ChannelLayer, LayerOptions, Message, Received } from '../../channels/index.js';

/** An empty place that layer objects share: a file, a Redis prefix, the memory of one process. */
export interface Medium {
  /** Opens a layer object on the medium: one more process, as it were. The contract closes it. */
  open(options?: LayerOptions): Promise<ChannelLayer>;
}

export interface LayerContractOptions {
  /** Makes a fresh, empty medium for one test; `t` is for its teardown, which runs after the layers' close. */
  readonly medium: (t: Test) => Promise<Medium>;
  /** Titles of tests that do not apply to this layer, each with the reason. An unknown title fails. */
  readonly skips?: Readonly<Record<string, string>>;
}

/** Tests by their titles. */
export type Contract = Readonly<Record<string, (t: Test, open: Open) => Promise<void>>>;

/** Opens a layer object that is closed with the test. */
export type Open = (options?: LayerOptions) => Promise<ChannelLayer>;

/** Runs a contract as one tap test called `name`. */
export function runContract(name: string, contract: Contract, options: LayerContractOptions): void {
  t.test(name, async (t) => {
    const skips = new Map(Object.entries(options.skips ?? {}));
    for (const [title, test] of Object.entries(contract)) {
      const skip = skips.get(title) ?? false;
      skips.delete(title);
      t.test(title, { skip }, async (t) => {
        const medium = await options.medium(t);
        await test(t, async (layerOptions) => {
          const layer = await medium.open(layerOptions);
          t.teardown(() => layer.close());
          return layer;
        });
      });
    }
    t.same([...skips.keys()], [], 'every skipped title is one of the contract');
  });
}

/** Far longer than any layer needs: a broken layer fails with a message instead of hanging. */
export const patienceMs = 30_000;

/** Receives one message, or fails the test when there is none. */
export async function receive(layer: ChannelLayer, channel: string): Promise<Received> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(new Error(`nothing arrived on ${channel}`)), patienceMs);
  try {
    return await layer.receive(channel, { signal: patience.signal });
  } finally {
    clearTimeout(timer);
  }
}

/** What lies on a channel: sends a marker and returns what comes before it. */
export async function remaining(layer: ChannelLayer, channel: string): Promise<Received[]> {
  await layer.send(channel, { type: 'test.marker' });
  const found: Received[] = [];
  for (;;) {
    const message = await receive(layer, channel);
    if (message.type === 'test.marker') return found;
    found.push(message);
  }
}

export async function isAccepted(send: Promise<void>): Promise<boolean> {
  try {
    await send;
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === 'CHANNELS_ERR_CHANNEL_FULL') return false;
    throw error;
  }
}

/** A clock at the present time that moves only when told to. */
export function settableClock(): { now: () => number; advance: (ms: number) => void } {
  let now = Date.now();
  return {
    now: () => now,
    advance: (ms) => {
      now += ms;
    },
  };
}

export function numbered(n: number): Message & { readonly n: number } {
  return { type: 'test.numbered', n };
}

export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

export function asBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new TypeError(`expected bytes, got: ${String(value)}`);
}

/** Takes so many messages in batches, or fails the test when they do not come. */
export async function receiveMany(layer: ChannelLayer, channel: string, count: number): Promise<Received[]> {
  const received: Received[] = [];
  while (received.length < count) {
    const batch = await layer.receiveMany(channel, { max: count - received.length, waitMs: patienceMs });
    if (batch.length === 0) throw new Error(`only ${received.length} of ${count} arrived on ${channel}`);
    received.push(...batch);
  }
  return received;
}
