// One question to one server of a group, to find the right one.

import type { Endpoint } from './address.js';

/** How long one server may take, connecting included. */
const askWithinMs = 2000;

/** Connects, sends one command and disconnects. Rejects when there is no answer within two seconds. */
export async function ask(
  endpoint: Endpoint,
  command: readonly [name: string, ...args: string[]],
  signal: AbortSignal,
): Promise<unknown> {
  const { Redis } = await import('ioredis');
  signal.throwIfAborted();
  const client = new Redis({
    ...endpoint,
    protocol: 2,
    lazyConnect: true,
    connectTimeout: askWithinMs,
    commandTimeout: askWithinMs,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let problem: Error | undefined;
  client.on('error', (error: Error) => {
    problem = error;
  });
  const onAbort = () => client.disconnect();
  signal.addEventListener('abort', onAbort);
  try {
    await client.connect();
    const [name, ...args] = command;
    return await client.call(name, ...args);
  } catch (error) {
    // What the library says of a connection that failed is only that it is closed.
    throw problem ?? error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    client.disconnect();
    client.stream?.destroy();
  }
}

/**
 * Asks the servers in turn until one has an answer, beginning with another one each time, so that one which answers
 * wrongly is not believed for ever. Rejects with the last failure when none has.
 */
export class Seeds {
  readonly #seeds: readonly Endpoint[];
  #first = 0;

  constructor(seeds: readonly Endpoint[]) {
    this.#seeds = seeds;
  }

  /** `host:port,host:port` */
  get name(): string {
    return this.#seeds.map(({ host, port }) => `${host}:${port}`).join(',');
  }

  async find<T>(question: (seed: Endpoint) => Promise<T | undefined>): Promise<T> {
    const first = this.#first++ % this.#seeds.length;
    let failure: unknown = new Error('none of the servers knows');
    for (const seed of [...this.#seeds.slice(first), ...this.#seeds.slice(0, first)]) {
      try {
        const answer = await question(seed);
        if (answer !== undefined) return answer;
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }
}
