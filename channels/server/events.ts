// What a server reports, and how it lists its sockets.

/** What a server reports, for a log. `client` is the address of the client; null where it is not known. */
export type ServerEvent =
  /** A request was answered, or its client left before; a WebSocket that was refused is one, too. */
  | {
      readonly type: 'request';
      readonly method: string;
      readonly path: string;
      readonly client: string | null;
      /** 0 when the client left before the response began. */
      readonly status: number;
      readonly bodyBytes: number;
      readonly durationMs: number;
    }
  | { readonly type: 'socketOpened'; readonly socket: SocketReport }
  | {
      readonly type: 'socketClosed';
      readonly socket: SocketReport;
      readonly code: number;
      readonly reason: string;
    }
  /** The application threw. The client got 500, or the close code 1011. */
  | { readonly type: 'applicationFailed'; readonly path: string; readonly error: Error }
  /** The application still runs, this long after its client left. It is no longer waited for. */
  | { readonly type: 'applicationStuck'; readonly path: string; readonly afterMs: number }
  /** A consumer dropped a bad message of its channel, and goes on. */
  | { readonly type: 'badMessage'; readonly path: string; readonly error: Error }
  /** A listening address failed for a moment, as without free descriptors. The server goes on. */
  | { readonly type: 'listenerFailed'; readonly address: string; readonly error: Error }
  /** The application failed in its lifespan. The server goes on without it, as the specification demands. */
  | { readonly type: 'lifespanFailed'; readonly error: Error };

/** One WebSocket of a server. */
export interface SocketReport {
  /** A name for `closeSocket`. */
  readonly id: string;
  readonly client: string | null;
  readonly path: string;
  /** Milliseconds since it was accepted. */
  readonly ageMs: number;
  /** Bytes that wait to be sent, in the consumer and in the server. */
  readonly queuedBytes: number;
  /** Messages that were sent to the client. */
  readonly sent: number;
  readonly received: number;
  /** Messages that the consumer dropped because the client did not read. */
  readonly dropped: number;
  readonly groups: readonly string[];
}

/** What was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`, { cause: thrown });
}
