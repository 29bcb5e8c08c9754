// The errors of channels/: one class for each failure that a caller may handle differently.

/** The base of all errors of `linod/channels`. Match on `code`, never on the text. */
export class ChannelsError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The channel is full: `capacity` messages already wait. Nothing was written. */
export class ChannelFull extends ChannelsError {
  readonly channel: string;
  /** The most messages that wait on the channel. */
  readonly capacity: number;

  constructor(channel: string, capacity: number) {
    super(
      'CHANNELS_ERR_CHANNEL_FULL',
      `channel ${JSON.stringify(channel)} is full: capacity is ${capacity} messages`,
    );
    this.channel = channel;
    this.capacity = capacity;
  }
}

/** Thrown by a handler to end its consumer without an error. */
export class StopConsumer extends ChannelsError {
  constructor() {
    super('CHANNELS_ERR_STOP_CONSUMER', 'the consumer asked to be stopped');
  }
}

/** A channel or group name that no layer accepts. */
export class InvalidNameError extends ChannelsError {
  readonly invalidName: unknown;

  constructor(kind: 'channel' | 'group', invalidName: unknown, rule: string) {
    super('CHANNELS_ERR_INVALID_NAME', `${kind} name must be ${rule}, got: ${describe(invalidName)}`);
    this.invalidName = invalidName;
  }
}

/** A process-specific channel of another layer object. Only that object can receive on it. */
export class ForeignChannelError extends ChannelsError {
  readonly channel: string;

  constructor(channel: string) {
    super(
      'CHANNELS_ERR_FOREIGN_CHANNEL',
      `channel ${JSON.stringify(channel)} was made by another process; receive only on what your own newChannel() returned`,
    );
    this.channel = channel;
  }
}

/** A message that cannot be sent: it is not a map, or has a value that the wire format lacks. */
export class InvalidMessageError extends ChannelsError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CHANNELS_ERR_INVALID_MESSAGE', message, options);
  }
}

/** Bytes from a peer that are not a message. Layers drop and count such messages; see `onDrop`. */
export class UndecodableError extends ChannelsError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CHANNELS_ERR_UNDECODABLE', message, options);
  }
}

/** A wrong option, or a wrong URL of a layer. */
export class InvalidOptionError extends ChannelsError {
  readonly option: string;

  constructor(option: string, expected: string, found: unknown) {
    super('CHANNELS_ERR_INVALID_OPTION', `expected ${option} to be ${expected}, got: ${describe(found)}`);
    this.option = option;
  }
}

/**
 * Why a layer cannot be used now:
 *
 * - `unreachable`: no connection, it broke, or there was no answer in time;
 * - `loading`: the server reads its data from the disk;
 * - `read-only`: the server is a replica, as after a fail-over;
 * - `out-of-memory`: the server's `maxmemory` is reached; messages can still be received;
 * - `access-denied`: a wrong password, or a user who may not do this;
 * - `refused`: anything else that the server answered.
 */
export type UnavailableReason =
  | 'unreachable'
  | 'loading'
  | 'read-only'
  | 'out-of-memory'
  | 'access-denied'
  | 'refused';

/** The server or file of the layer cannot be used now. The message was not accepted; try again later. */
export class LayerUnavailableError extends ChannelsError {
  readonly reason: UnavailableReason;

  constructor(message: string, options?: { cause?: unknown; reason?: UnavailableReason }) {
    super('CHANNELS_ERR_LAYER_UNAVAILABLE', message, options);
    this.reason = options?.reason ?? 'unreachable';
  }
}

/** The layer was closed before or during the call. */
export class LayerClosedError extends ChannelsError {
  constructor() {
    super('CHANNELS_ERR_LAYER_CLOSED', 'the channel layer is closed');
  }
}

/** The consumer has no handler for the type of a message. */
export class NoHandlerError extends ChannelsError {
  readonly type: string;

  constructor(consumer: string, type: string, handlers: readonly string[]) {
    super(
      'CHANNELS_ERR_NO_HANDLER',
      `${consumer} has no handler for message type ${JSON.stringify(type)}; it handles: ${handlers.join(', ') || 'nothing'}`,
    );
    this.type = type;
  }
}

/** A message whose fields do not fit its type. */
export class MalformedMessageError extends ChannelsError {
  /** The message's type; undefined if it has none. */
  readonly type: string | undefined;

  constructor(type: string | undefined, cause: unknown) {
    const what = type === undefined ? 'a message' : `a message of type ${JSON.stringify(type)}`;
    const why = cause instanceof Error ? cause.message : String(cause);
    super('CHANNELS_ERR_MALFORMED_MESSAGE', `received ${what} that is malformed: ${why}`, { cause });
    this.type = type;
  }
}

/** A consumer in a worker called `send`, but has no client. */
export class NoClientError extends ChannelsError {
  constructor(channel: string) {
    super(
      'CHANNELS_ERR_NO_CLIENT',
      `the consumer of channel ${JSON.stringify(channel)} has no client to send to; send to a channel with layer.send()`,
    );
  }
}

/** A router has no application for a scope. */
export class NoRouteError extends ChannelsError {
  constructor(message: string) {
    super('CHANNELS_ERR_NO_ROUTE', message);
  }
}

/** `send` was called after the client of the connection had left. No reason to log anything. */
export class ClientGoneError extends ChannelsError {
  constructor() {
    super('CHANNELS_ERR_CLIENT_GONE', 'the client has closed the connection; nothing more can be sent to it');
  }
}

/** An application sent a message that the protocol does not allow at this point, or that is malformed. */
export class ProtocolError extends ChannelsError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CHANNELS_ERR_PROTOCOL', message, options);
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 120 ? `${value.slice(0, 120)}…` : value);
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return String(value);
}
