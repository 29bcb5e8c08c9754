// The consumer: an object that handles each message with the method that the message's type names.

import {
  type Application,
  isMessage,
  type Message,
  type Receive,
  type Received,
  type Scope,
  type Send,
} from './application.js';
import { ChannelsError, MalformedMessageError, NoHandlerError, StopConsumer } from './errors.js';
import type { ChannelLayer } from './layer.js';
import { handleInSpan } from './tracing/messages.js';
import { isTracing } from './tracing/peer.js';

/**
 * The method that a message type calls: `log.server` → `logServer`. Dots and underscores count alike, so
 * `run.system_tasks` and `run.system.tasks` name one method, `runSystemTasks`.
 */
export type HandlerName<T extends string> = T extends `${infer Head}.${infer Tail}`
  ? `${HandlerName<Head>}${Capitalize<HandlerName<Tail>>}`
  : T extends `${infer Head}_${infer Tail}`
    ? `${Head}${Capitalize<HandlerName<Tail>>}`
    : T;

/**
 * The methods that a consumer of the messages `M` needs. A class that lacks one does not compile.
 *
 * @example class Chat extends Consumer<ChatMessages> implements Handlers<ChatMessages> { … }
 */
export type Handlers<M extends Message> = {
  [T in M['type'] as HandlerName<T>]: (message: MessageOf<M, T>) => Promise<void> | void;
};

/**
 * The types that a consumer takes: each with `true`, or with a parser. The parser makes a trusted message of
 * what a peer sent, and throws when it cannot. A missing or superfluous type does not compile.
 */
export type HandledTypes<M extends Message> = {
  readonly [T in M['type']]: true | ((received: Received) => MessageOf<M, T>);
};

/** The messages of the union `M` that have the type `T`. */
export type MessageOf<M extends Message, T extends string> = M extends { readonly type: infer U }
  ? T extends U
    ? [U] extends [T]
      ? M
      : M & { readonly type: T }
    : never
  : never;

export interface ConsumerOptions {
  /** For handlers that send. The consumer itself needs it only for a channel of its own. */
  readonly layer?: ChannelLayer | undefined;
  /** Whether the instance also listens on a specific channel of its own, its `channelName`. Default false. */
  readonly ownChannel?: boolean | undefined;
}

/**
 * An application as an object. It calls the method that a message's type names, one message at a time, in
 * order.
 *
 * A peer can reach the methods that the subclasses of `Consumer` declare. It cannot reach `#private` ones,
 * fields, names of `Consumer` or `Object` (`send`, `constructor`), or those that a class lists in its static
 * `reserved`. With `handles`, a peer reaches only the types listed there. Declare it in each consumer that
 * listens to other machines.
 *
 * An error in a handler ends the instance, and so does a message without a handler or one that its parser
 * refuses. The worker reports it and makes a new instance for the next message. `StopConsumer`, thrown by a
 * handler or by `receive`, ends the instance without an error.
 *
 * Source: django/channels channels/consumer.py.
 * @example
 * class Counter extends Consumer<Count> implements Handlers<Count> {
 *   #total = 0;
 *   countAdd(message: Count) { this.#total += message.n; }
 * }
 * new Worker({ application: Consumer.application(() => new Counter()), layer, channels: ['counter'] });
 */
export abstract class Consumer<M extends Message = Message> {
  /** Methods of a subclass that are not handlers: the hooks of a base class, such as `connect`. */
  static readonly reserved: readonly string[] = [];

  /** Types whose messages get no span, since they come all the time. */
  static readonly untraced: readonly string[] = [];

  /** The types that this consumer takes. Default: all that name one of its methods. */
  readonly handles?: HandledTypes<M>;

  readonly #layer: ChannelLayer | undefined;
  readonly #ownChannel: boolean;
  #connection: Connection | undefined;

  constructor(options: ConsumerOptions = {}) {
    this.#layer = options.layer;
    this.#ownChannel = options.ownChannel ?? false;
  }

  /** Returns the application that creates and runs a consumer for each connection or channel. */
  static application<M extends Message>(make: (scope: Scope) => Consumer<M>): Application {
    return (scope, receive, send) => make(scope).run(scope, receive, send);
  }

  /**
   * The connection or channel of this instance.
   *
   * @throws ChannelsError (`CHANNELS_ERR_NOT_RUNNING`) before `run`
   */
  get scope(): Scope {
    return this.#connected().scope;
  }

  /** The layer of the options. @throws ChannelsError (`CHANNELS_ERR_NO_LAYER`) when the options have none */
  get layer(): ChannelLayer {
    if (this.#layer !== undefined) return this.#layer;
    throw new ChannelsError('CHANNELS_ERR_NO_LAYER', `${this.constructor.name} was created without a layer`);
  }

  /**
   * The channel that only this instance receives on; undefined when it has none.
   *
   * @throws ChannelsError (`CHANNELS_ERR_NOT_RUNNING`) before `run`
   */
  get channelName(): string | undefined {
    return this.#connected().channelName;
  }

  /**
   * Passes a message to the client of the connection.
   *
   * @throws NoClientError when there is none, as in a worker; ChannelsError (`CHANNELS_ERR_NOT_RUNNING`)
   *   before `run`
   */
  async send<Out extends Message>(message: Out): Promise<void> {
    await this.#connected().send(message);
  }

  /** Runs the instance until something stops it. The application calls it once. */
  async run(scope: Scope, receive: Receive, send: Send): Promise<void> {
    const channelName = this.#ownChannel ? await this.layer.newChannel() : undefined;
    this.#connection = { scope, send, channelName };
    try {
      if (channelName === undefined) await this.#dispatchAll(receive);
      else await this.#dispatchBoth(receive, channelName);
    } catch (error) {
      if (!(error instanceof StopConsumer)) throw error;
    }
  }

  /**
   * Calls the handler of one message.
   *
   * @throws NoHandlerError when there is none; MalformedMessageError when the parser throws; the handler's
   *   own errors
   */
  async dispatch(message: Message): Promise<void> {
    const handler = this.#handler(message.type);
    if (handler === undefined) {
      const handled = this.handles === undefined ? [...handlersOf(this).names] : Object.keys(this.handles);
      throw new NoHandlerError(this.constructor.name, message.type, handled);
    }
    await handler(message);
  }

  #handle(message: Message): Promise<void> {
    if (this.#isUntraced(message)) return this.dispatch(message);
    return handleInSpan(this.scope, this.channelName, message, () => this.dispatch(message));
  }

  #isUntraced({ type }: Message): boolean {
    if (!isTracing()) return true;
    return isConsumerClass(this.constructor) && this.constructor.untraced.includes(type);
  }

  async #dispatchAll(receive: Receive): Promise<never> {
    for (;;) await this.#handle(await receive());
  }

  /** Takes messages from both sources, one at a time. */
  async #dispatchBoth(receive: Receive, channelName: string): Promise<void> {
    const ended = new AbortController();
    let turn: Promise<void> = Promise.resolve();
    const inTurn = async (next: Receive): Promise<never> => {
      for (;;) {
        const message = await next();
        // After an error `turn` stays rejected, so no other message is handled.
        turn = turn.then(() => this.#handle(message));
        await turn;
      }
    };
    const ownReceive: Receive = async () =>
      asMessage(await this.layer.receive(channelName, { signal: ended.signal }));
    try {
      await Promise.race([inTurn(receive), inTurn(ownReceive)]);
    } finally {
      ended.abort(new StopConsumer());
      // One source may end while a message of the other is handled. That handler still finishes, or fails.
      await turn;
    }
  }

  #handler(type: string): ((message: Message) => unknown) | undefined {
    const { handles } = this;
    if (handles !== undefined && !Object.hasOwn(handles, type)) return undefined;
    const { names, ofTypes } = handlersOf(this);
    const name = ofTypes.get(type) ?? handlerName(type);
    if (name === undefined || !names.has(name)) return undefined;
    ofTypes.set(type, name);
    const method: unknown = Reflect.get(this, name);
    if (typeof method !== 'function') return undefined;
    const parser: unknown = handles === undefined ? true : Reflect.get(handles, type);
    return (message) => Reflect.apply(method, this, [parse(message, parser)]);
  }

  #connected(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    throw new ChannelsError('CHANNELS_ERR_NOT_RUNNING', `${this.constructor.name} is not running yet`);
  }
}

interface Connection {
  readonly scope: Scope;
  readonly send: Send;
  readonly channelName: string | undefined;
}

/**
 * The name of the method that handles a type, as `HandlerName` computes it; undefined for a type that names
 * none.
 *
 * @example handlerName('run.system.tasks') // 'runSystemTasks'
 */
export function handlerName(type: string): string | undefined {
  if (!messageType.test(type)) return undefined;
  return type.replace(/[._](.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Words of letters and digits, separated by single dots or underscores. */
const messageType = /^[a-z][a-zA-Z0-9]*(?:[._][a-zA-Z0-9]+)*$/;

interface ReachableMethods {
  readonly names: ReadonlySet<string>;
  /** The names by the message types that were seen. */
  readonly ofTypes: Map<string, string>;
}

/** The methods that peers may reach, computed once for each class. */
function handlersOf(consumer: object): ReachableMethods {
  const known = handlersOfClass.get(consumer.constructor);
  if (known !== undefined) return known;
  const classes = [...classesBelowConsumer(consumer.constructor)];
  const names = new Set(classes.flatMap((each) => methodNames(each.prototype)));
  const unreachable = [Object.prototype, Consumer.prototype].flatMap((each) =>
    Object.getOwnPropertyNames(each),
  );
  for (const name of [...unreachable, ...classes.flatMap((each) => each.reserved)]) names.delete(name);
  const methods = { names, ofTypes: new Map<string, string>() };
  handlersOfClass.set(consumer.constructor, methods);
  return methods;
}

const handlersOfClass = new WeakMap<object, ReachableMethods>();

function* classesBelowConsumer(leaf: unknown): Generator<typeof Consumer> {
  for (let each = leaf; isConsumerClass(each); each = Object.getPrototypeOf(each)) yield each;
}

function isConsumerClass(value: unknown): value is typeof Consumer {
  return typeof value === 'function' && value.prototype instanceof Consumer;
}

function methodNames(prototype: object): string[] {
  const properties = Object.entries(Object.getOwnPropertyDescriptors(prototype));
  return properties.filter(([, property]) => typeof property.value === 'function').map(([name]) => name);
}

function parse(message: Message, parser: unknown): unknown {
  if (typeof parser !== 'function') return message;
  try {
    return parser(message);
  } catch (error) {
    throw new MalformedMessageError(message.type, error);
  }
}

function asMessage(received: Received): Message {
  if (isMessage(received)) return received;
  throw new MalformedMessageError(undefined, new Error('expected a message with a type that is a string'));
}
