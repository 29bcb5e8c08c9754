// The consumer for HTTP requests, and for streams of server-sent events.

import type { Message, Receive, Scope, Send } from './application.js';
import { ConnectionConsumer } from './browser/connection-consumer.js';
import { type HeaderList, type HttpRequest, headerOf, isConnectionScope } from './browser/protocol.js';
import { InvalidMessageError, StopConsumer } from './errors.js';

/** One for all: the stack of an error costs more than the rest of a small request. */
const isOver = new StopConsumer();

/** Headers of a response: pairs, or an object. */
export type GivenHeaders = HeaderList | Readonly<Record<string, string>>;

/** One server-sent event. Source: the HTML standard, "Server-sent events". */
export interface ServerSentEvent {
  /** May have several lines. */
  readonly data: string;
  /** The event's type; a browser calls its `message` listeners when there is none. */
  readonly event?: string | undefined;
  /** What the browser sends as `Last-Event-ID` when it connects again. */
  readonly id?: string | undefined;
  /** Milliseconds that the browser waits before it connects again. */
  readonly retryMs?: number | undefined;
}

/**
 * A consumer for each request: `handle` gets the whole body and answers with `sendResponse`, or `sendHeaders` and
 * `sendBody`. One that begins a stream of events goes on with the messages of its channel until the client leaves.
 *
 * Source: django/channels channels/generic/http.py.
 * @example
 * class Ticker extends HttpConsumer<Tick> implements Handlers<Tick> {
 *   override groups = ['ticks'];
 *   override async handle() { await this.startEvents(); }
 *   async tickNow({ n }: Tick) { await this.sendEvent({ data: `${n}`, id: `${n}` }); }
 * }
 */
export abstract class HttpConsumer<M extends Message = Message> extends ConnectionConsumer<M> {
  static override readonly reserved: readonly string[] = [
    ...['handle', 'disconnect', 'sendHeaders', 'sendBody', 'sendResponse', 'startEvents', 'sendEvent'],
  ];

  /** The largest body that `handle` is given; a larger one is answered with 413. Default 1 MiB. */
  readonly maxBodyBytes: number = 1024 * 1024;

  #parts: Uint8Array[] = [];
  #bytes = 0;
  #stream: 'none' | 'open' | 'over' = 'none';
  #stopping: AbortSignal | undefined;
  readonly #onStop = () => void this.tooSlow();

  /** Answers the request. */
  abstract handle(body: Uint8Array): Promise<void> | void;

  /** Called at the end, also when the client left before. */
  disconnect(): Promise<void> | void {}

  /** Where a client that connects again wants to go on: the id of the last event that it got. */
  get lastEventId(): string | undefined {
    return isConnectionScope(this.scope) ? headerOf(this.scope, 'last-event-id') : undefined;
  }

  /** Sets status and headers; they go out with the first part of the body. */
  async sendHeaders({
    status = 200,
    headers = [],
  }: {
    status?: number;
    headers?: GivenHeaders;
  } = {}): Promise<void> {
    const pairs = isList(headers) ? headers : Object.entries(headers);
    await this.send({ type: 'http.response.start', status, headers: pairs } as Message);
  }

  /** Sends a part of the body, the last unless `moreBody` is true. Waits until the client takes it. */
  async sendBody(
    body: string | Uint8Array,
    { moreBody = false }: { moreBody?: boolean } = {},
  ): Promise<void> {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    await this.send({ type: 'http.response.body', body: bytes, more_body: moreBody } as Message);
    if (!moreBody) this.#stream = 'over';
  }

  /** Sends a whole response. */
  async sendResponse(status: number, body: string | Uint8Array, headers: GivenHeaders = []): Promise<void> {
    await this.sendHeaders({ status, headers });
    await this.sendBody(body);
  }

  /** Begins a stream of events, which ends when the client leaves or the server stops. */
  async startEvents(headers: GivenHeaders = []): Promise<void> {
    const own: HeaderList = [
      ['content-type', 'text/event-stream'],
      ['cache-control', 'no-store'],
      ['x-accel-buffering', 'no'],
    ];
    await this.sendHeaders({ headers: [...own, ...(isList(headers) ? headers : Object.entries(headers))] });
    await this.sendBody('', { moreBody: true });
    this.#stream = 'open';
    const { scope } = this;
    this.#stopping = isConnectionScope(scope) ? scope.extensions.stopping : undefined;
    this.#stopping?.addEventListener('abort', this.#onStop);
    if (this.#stopping?.aborted) this.#onStop();
  }

  /** Sends one event; none any more when the stream is over. @throws InvalidMessageError when its type or id has a line break */
  async sendEvent({ data, event, id, retryMs }: ServerSentEvent): Promise<void> {
    if (this.#stream === 'over') return;
    if (/[\r\n\0]/.test(`${event ?? ''}${id ?? ''}`))
      throw new InvalidMessageError('expected type and id of an event without line breaks');
    const fields = [
      ...(event === undefined ? [] : [`event: ${event}`]),
      ...(id === undefined ? [] : [`id: ${id}`]),
      ...(retryMs === undefined ? [] : [`retry: ${Math.round(retryMs)}`]),
      ...data.split(/\r\n|\r|\n/).map((line) => `data: ${line}`),
    ];
    await this.sendBody(`${fields.join('\n')}\n\n`, { moreBody: true });
  }

  override async run(scope: Scope, receive: Receive, send: Send): Promise<void> {
    try {
      await super.run(scope, receive, send);
    } finally {
      this.#stopping?.removeEventListener('abort', this.#onStop);
      await this.disconnect();
    }
  }

  protected override async input(message: Message): Promise<void> {
    if (message.type === 'http.disconnect') throw isOver;
    if (message.type !== 'http.request') return;
    const { body, more_body } = message as HttpRequest;
    this.#parts.push(body);
    this.#bytes += body.length;
    if (this.#bytes > this.maxBodyBytes) {
      await this.sendResponse(413, 'Content Too Large\n', [['connection', 'close']]);
      throw isOver;
    }
    if (more_body) return;
    for (const group of this.groups) await this.groupAdd(group);
    await this.handle(Buffer.concat(this.#parts.splice(0)));
    if (this.#stream !== 'open') throw isOver;
  }

  /** Ends a stream of events: the browser connects again, and sends the last id that it got. */
  protected override async tooSlow(): Promise<void> {
    if (this.#stream === 'open') await this.sendBody('').catch(() => undefined);
  }
}

function isList(headers: GivenHeaders): headers is HeaderList {
  return Array.isArray(headers);
}
