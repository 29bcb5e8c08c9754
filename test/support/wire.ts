// A wire between a client and a server that can go dead: both ends stay open, and nothing gets through any more.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Test } from 'tap';

/** Forwards connections to a port of this machine. Ended with the test. */
export class Wire {
  readonly port: number;
  readonly #sockets: Set<Socket>;
  readonly #gate: Gate;

  private constructor(port: number, sockets: Set<Socket>, gate: Gate) {
    this.port = port;
    this.#sockets = sockets;
    this.#gate = gate;
  }

  static async start(t: Test, targetPort: number): Promise<Wire> {
    const sockets = new Set<Socket>();
    const gate: Gate = { isShut: false };
    const server = createServer((client) => {
      const target = connect(targetPort, '127.0.0.1');
      for (const [from, to] of [
        [client, target],
        [target, client],
      ] as const) {
        sockets.add(from);
        // An end that breaks takes the other with it.
        from.on('error', () => to.destroy());
        from.on('close', () => {
          sockets.delete(from);
          to.destroy();
        });
        if (!gate.isShut) from.pipe(to);
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port');
    return new Wire(address.port, sockets, gate);
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Lets nothing more through on the connections that are there. New ones are not concerned. */
  cut(): void {
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.pause();
    }
  }
  /** The same, and on new connections nothing gets through either, until `mend`. */
  cutForGood(): void {
    this.#gate.isShut = true;
    this.cut();
  }

  /** Lets new connections through again. Those that are there stay dead. */
  mend(): void {
    this.#gate.isShut = false;
  }
}

interface Gate {
  isShut: boolean;
}
