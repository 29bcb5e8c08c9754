// The load on one medium: a worker and senders, in laps. Within a lap everything goes on at once. At its end everything
// that was sent has been received; then nothing is under way, the connections are broken, the sender opens its layer
// anew, and memory and handles can be compared with those of another lap.

import { setTimeout as pause } from 'node:timers/promises';
import { LayerUnavailableError } from '../../../channels/errors.js';
import type { ChannelLayer } from '../../../channels/layer.js';
import { Worker } from '../../../channels/worker.js';
import { Ledger } from './ledger.js';
import type { Medium } from './medium.js';
import { type Hands, lostAfterMs, type WorkName, workChannel, works } from './works.js';

export interface LoadOptions {
  readonly medium: Medium;
  /** How often each kind of work is done in a lap. */
  readonly rounds: number;
  /** Milliseconds between two of them, to load the machine in part only. */
  readonly everyMs: number;
}

/** So many laps a worker lives. */
const lapsPerWorker = 5;

export class Load {
  readonly #options: LoadOptions;
  readonly #ledgers = new Map<WorkName, Ledger>();
  readonly #receiver: ChannelLayer;
  #sender: ChannelLayer;
  #worker: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;
  #laps = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#receiver = options.medium.open();
    this.#sender = options.medium.open();
    for (const { name } of works) this.#ledgers.set(name, new Ledger());
  }

  get name(): Medium['name'] {
    return this.#options.medium.name;
  }

  /** How many messages were sent so far. */
  get sent(): number {
    return this.#sum((ledger) => ledger.sent);
  }

  /** How many never came, of the laps that are over. */
  get lost(): number {
    return this.#sum((ledger) => ledger.outstanding);
  }

  get doubled(): number {
    return this.#sum((ledger) => ledger.doubled);
  }

  /** Runs one lap. */
  async lap(): Promise<void> {
    const { medium, rounds, everyMs } = this.#options;
    if (this.#laps++ % lapsPerWorker === 0) await this.#replaceWorker();
    await Promise.all(
      works.map(async ({ name, round }) => {
        const hands = this.#handsFor(name);
        for (let i = 0; i < rounds; i++) {
          await round(hands);
          await pause(everyMs);
        }
      }),
    );
    await this.#settled();
    await medium.disturb();
    await this.#sender.close();
    this.#sender = medium.open();
    await this.#reached();
  }

  /** Ends everything that it has opened. */
  async close(): Promise<void> {
    await this.#stopWorker();
    await Promise.all([this.#sender.close(), this.#receiver.close()]);
  }

  #handsFor(name: WorkName): Hands {
    return {
      sender: this.#sender,
      receiver: this.#receiver,
      channel: workChannel(name),
      ledger: this.#ledger(name),
    };
  }

  async #replaceWorker(): Promise<void> {
    await this.#stopWorker();
    const ledger = this.#ledger('worker');
    const stop = new AbortController();
    const worker = new Worker({
      application: async (_scope, receive) => {
        for (;;) ledger.take(numberOf(await receive()));
      },
      layer: this.#receiver,
      channels: [workChannel('worker')],
    });
    this.#worker = { stop, ended: worker.run(stop.signal) };
  }

  async #stopWorker(): Promise<void> {
    this.#worker?.stop.abort();
    await this.#worker?.ended;
    this.#worker = undefined;
  }

  async #settled(): Promise<void> {
    const giveUpAt = performance.now() + lostAfterMs;
    while (this.lost > 0 && performance.now() < giveUpAt) await pause(5);
  }

  /** A call in the moment in which the connection breaks fails, as it should. */
  async #reached(): Promise<void> {
    const giveUpAt = performance.now() + lostAfterMs;
    for (;;) {
      try {
        return await this.#receiver.groupDiscard(workChannel('groups'), workChannel('worker'));
      } catch (error) {
        if (!(error instanceof LayerUnavailableError) || performance.now() > giveUpAt) throw error;
        await pause(5);
      }
    }
  }

  #ledger(name: WorkName): Ledger {
    const ledger = this.#ledgers.get(name);
    if (ledger === undefined) throw new RangeError(`no work is called ${name}`);
    return ledger;
  }

  #sum(of: (ledger: Ledger) => number): number {
    return Array.from(this.#ledgers.values(), of).reduce((sum, each) => sum + each, 0);
  }
}

function numberOf(message: object): unknown {
  return 'number' in message ? message.number : undefined;
}
