// The server's end of a socket's extension: what the consumer says about its queue and its groups.

import type { SocketExtension } from '../browser/protocol.js';

/** Bytes in the queues of all sockets of a server. */
export interface QueuedTotal {
  bytes: number;
  readonly maxBytes: number;
}

export class ServerSocketExtension implements SocketExtension {
  readonly groups = new Set<string>();
  dropped = 0;
  readonly report: (error: Error) => void;
  readonly #total: QueuedTotal;
  #queuedBytes = 0;

  constructor(total: QueuedTotal, report: (error: Error) => void) {
    this.#total = total;
    this.report = report;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  set queuedBytes(bytes: number) {
    this.#total.bytes += bytes - this.#queuedBytes;
    this.#queuedBytes = bytes;
  }

  hasRoom(): boolean {
    return this.#total.bytes <= this.#total.maxBytes;
  }
}
