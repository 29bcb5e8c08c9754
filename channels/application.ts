// The calling convention that everything in channels/ meets at: a scope, a receive and a send.

/** What a peer put on a channel. Nothing is known about it but that it is a map; the worker checks the rest. */
export type Received = Record<string, unknown>;

/**
 * A message as applications handle it: a plain object whose `type` names the handler, `log.server` for
 * `logServer`. Values are what MessagePack carries: text, bytes (`Uint8Array`), numbers, booleans, null, lists
 * and maps of them.
 *
 * Source: django/channels docs/channel_layer_spec.rst, "Messages".
 */
export interface Message {
  readonly type: string;
}

/** Whether what was received is a message: a map whose `type` is text. All else in it is for the handler to check. */
export function isMessage(value: unknown): value is Received & Message {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** Where a connection or a channel comes from: `type` picks the protocol, `channel` is set for a worker's. */
export interface Scope {
  readonly type: string;
  /** The channel that a worker listens on; `type` is then `channel`. */
  readonly channel?: string;
  /** The path of an HTTP or WebSocket connection, percent-decoded. */
  readonly path?: string;
  /** What a URLRouter found in the path. */
  readonly urlRoute?: UrlRoute;
  readonly [key: string]: unknown;
}

/** What a URL's parameters were, in the scope of the application it leads to; those of outer routers first. */
export interface UrlRoute {
  /** Of unnamed groups in an expression without named ones. */
  readonly args: readonly string[];
  /** Of `:name` in a path and of named groups in an expression. */
  readonly kwargs: Readonly<Record<string, string>>;
}

/** Waits for the next message of this application instance. Rejects with StopConsumer when the instance is to end. */
export type Receive = () => Promise<Message>;

/** Passes a message out: to the client of a connection. A worker's channel has no client, so it refuses. */
export type Send = <M extends Message>(message: M) => Promise<void>;

/**
 * An application: called once for each connection, or once for each channel of a worker, and running until
 * that is over.
 *
 * Source: the ASGI specification, "Applications".
 */
export type Application = (scope: Scope, receive: Receive, send: Send) => Promise<void>;
