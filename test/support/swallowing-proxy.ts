// A proxy before a server that can begin to swallow: connections stay, and nothing passes any more.

import { connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

interface Connection {
  readonly since: number;
  /** Whether somebody waits for messages of Redis on it. */
  readonly reads: boolean;
}

interface State {
  swallows: (connection: Connection) => boolean;
}

export class SwallowingProxy {
  readonly port: number;
  readonly #sockets: Set<Socket>;
  readonly #state: State;

  static async start(t: Test, target: number): Promise<SwallowingProxy> {
    const sockets = new Set<Socket>();
    const state: State = { swallows: () => false };
    const server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1');
      const connection = { since: performance.now(), reads: false };
      client.on('data', (data) => {
        connection.reads ||= data.includes('bzpopmin');
      });
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from);
        from.on('data', (data) => state.swallows(connection) || to.write(data));
        from.on('error', () => undefined);
        from.on('close', () => to.destroy());
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('unreachable: it listens on TCP');
    return new SwallowingProxy(address.port, sockets, state);
  }

  private constructor(port: number, sockets: Set<Socket>, state: State) {
    this.port = port;
    this.#sockets = sockets;
    this.#state = state;
  }

  swallow(): void {
    this.#state.swallows = () => true;
  }

  /** Swallows new connections, and those that wait for messages. Other old ones go on. */
  swallowReads(): void {
    const now = performance.now();
    this.#state.swallows = ({ since, reads }) => reads || since > now;
  }

  /** Passes everything on again; old connections are cut. */
  passOn(): void {
    this.#state.swallows = () => false;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }
}
