// The calling convention that all parts of channels/ share: an application gets a scope, a receive and a
// send.

/** A map that a peer put on a channel. Its content is unchecked; the worker checks that it is a message. */
export type Received = Record<string, unknown>;

/**
 * A message: a plain object whose `type` names its handler, as `log.server` names `logServer`. Its values are
 * what MessagePack carries: text, bytes (`Uint8Array`), numbers, booleans, null, lists and maps.
 *
 * Source: django/channels docs/channel_layer_spec.rst, "Messages".
 */
export interface Message {
  readonly type: string;
}

/** Whether a value is a message: a map whose `type` is text. The handler checks the other fields. */
export function isMessage(value: unknown): value is Received & Message {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** Describes the connection or the channel that an application instance serves. */
export interface Scope {
  /** The protocol: `http`, `websocket`, or `channel` in a worker. */
  readonly type: string;
  /** The channel that the worker listens on; only for the type `channel`. */
  readonly channel?: string;
  /** The path of an HTTP or WebSocket connection, percent-decoded. */
  readonly path?: string;
  /** What a URLRouter found in the path. */
  readonly urlRoute?: UrlRoute;
  readonly [key: string]: unknown;
}

/** The parameters of a URL, in `scope.urlRoute` of its application. Those of outer routers come first. */
export interface UrlRoute {
  /** The unnamed groups of an expression without named groups. */
  readonly args: readonly string[];
  /** The `:name`s of a path, and the named groups of an expression. */
  readonly kwargs: Readonly<Record<string, string>>;
}

/**
 * Waits for the next message of this application instance. Rejects with StopConsumer when the instance must
 * end.
 */
export type Receive = () => Promise<Message>;

/** Sends a message to the client of the connection. In a worker there is no client, so it rejects. */
export type Send = <M extends Message>(message: M) => Promise<void>;

/**
 * An application. A server calls it once for each connection, a worker for each channel. The call lasts until
 * the connection or the channel ends.
 *
 * Source: the ASGI specification, "Applications".
 */
export type Application = (scope: Scope, receive: Receive, send: Send) => Promise<void>;
