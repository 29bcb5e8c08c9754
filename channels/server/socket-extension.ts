// What consumers say about their sockets, added up against the server's limit.

import type { SocketExtension } from '../browser/protocol.js';

/** Bytes in the queues of all sockets of a server. */
export class QueueTotal {
  readonly #maxBytes: number;
  bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  hasRoom(): boolean {
    return this.bytes <= this.#maxBytes;
  }
}

/** The server's end of a socket's extension. */
export class ServerSocketExtension implements SocketExtension {
  readonly groups = new Set<string>();
  readonly #total: QueueTotal;
  readonly #report: (error: Error) => void;
  #queuedBytes = 0;
  dropped = 0;

  constructor(total: QueueTotal, report: (error: Error) => void) {
    this.#total = total;
    this.#report = report;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  set queuedBytes(bytes: number) {
    this.#total.bytes += bytes - this.#queuedBytes;
    this.#queuedBytes = bytes;
  }

  hasRoom(): boolean {
    return this.#total.hasRoom();
  }

  report(error: Error): void {
    this.#report(error);
  }
}
