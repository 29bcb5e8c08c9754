// One channel of a worker: it takes messages from the layer and passes them to an application instance.
//
//   layer ── listen() ──▶ inbox ── receive() ──▶ instance, in a slot of the worker
//            (at most `prefetch` in the inbox and in hand together)
//
// A message moves from the inbox to the instance in one step. So a message is always either in the inbox or
// in hand, whenever an instance or a wait ends.

import {
  type Application,
  isMessage,
  type Message,
  type Receive,
  type Received,
  type Scope,
  type Send,
} from '../application.js';
import { backOffMs, type Clock, pause } from '../clock.js';
import {
  ChannelsError,
  ForeignChannelError,
  LayerClosedError,
  MalformedMessageError,
  NoClientError,
  NoHandlerError,
  StopConsumer,
} from '../errors.js';
import type { ChannelLayer } from '../layer.js';
import { Notifier } from '../waiting/notifier.js';
import type { WaitingQueue } from '../waiting/waiting-queue.js';
import { type Listening, listenerState } from './listening.js';
import { Intake, type Taken } from './taken-messages.js';
import type { ChannelStats, WorkerEvent } from './worker-events.js';

export interface ServedChannelOptions {
  readonly application: Application;
  readonly layer: ChannelLayer;
  /** The most unfinished messages: the one in hand and those in the inbox. */
  readonly prefetch: number;
  /** Milliseconds of a lease; undefined without leases. */
  readonly leaseMs: number | undefined;
  /** The free slots of the worker. A message in hand holds one. All channels of the worker share them. */
  readonly slots: WaitingQueue<true>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly report: (event: WorkerEvent) => void;
}

/** Serves one channel, from the first `receive` to the end of the last handler. */
export class ServedChannel {
  readonly channel: string;
  readonly #options: ServedChannelOptions;
  readonly #intake: Intake;
  /** Unfinished acknowledgements. The next message does not wait for them. */
  readonly #acknowledging = new Set<Promise<void>>();
  readonly #inbox: InboxMessage[] = [];
  readonly #inboxChanged = new Notifier();
  /** Failures in a row. */
  #listenerFailures = 0;
  /** Whether the last batch was as large as requested. */
  #isBusy = false;
  /** Whether the listener has ended. */
  #isInputOver = false;
  /** The message that the instance handles. It holds a slot. */
  #inHand: (InboxMessage & { readonly since: number }) | undefined;
  /** Whether the current instance got a message. */
  #tookMessage = false;
  /** Ends the waits of the current instance. */
  #instanceOver = new AbortController();
  /** Ends the extension of leases. */
  readonly #over = new AbortController();
  /** How many of the two, listener and application, wait for their next try. */
  #restarting = 0;
  #counts = { received: 0, handled: 0, failed: 0, dropped: 0, returned: 0, lost: 0 };
  #lastError: { readonly error: Error; readonly at: number } | undefined;

  constructor(channel: string, options: ServedChannelOptions) {
    this.channel = channel;
    this.#options = options;
    this.#intake = new Intake({
      ...options,
      channel,
      onNotAcknowledged: (received, error) => this.#reportNotAcknowledged(received, error),
    });
  }

  stats(): ChannelStats {
    const { message, since } = this.#inHand ?? {};
    const busy = message !== undefined && since !== undefined;
    const listening = this.listening();
    return {
      channel: this.channel,
      state: listenerState({
        isRestarting: this.#restarting > 0,
        isHandling: busy,
        isHeldBack: this.#inbox.length > 0 || this.#isInputOver,
        listening,
      }),
      ...(listening && { listening }),
      ...this.#counts,
      prefetched: this.#inbox.length,
      ...(busy && { handling: { type: message.type, sinceMs: this.#options.clock.now() - since } }),
      ...(this.#lastError && { lastError: this.#lastError }),
    };
  }

  /** What the layer knows of its store; undefined while nobody receives. */
  listening(): Listening | undefined {
    return this.#options.layer.listening?.(this.channel);
  }

  /**
   * Takes messages from the layer until `stopping`. Calls `onListening` when the first receive has begun.
   *
   * @throws LayerClosedError, ForeignChannelError, which are permanent. It reports other errors and tries
   *   again
   */
  async listen(stopping: AbortSignal, onListening: () => void): Promise<void> {
    try {
      let notify: (() => void) | undefined = onListening;
      for (let room = await this.#room(stopping); room > 0; room = await this.#room(stopping)) {
        const next = this.#take(room, stopping);
        notify?.();
        notify = undefined;
        const taken = await next;
        this.#isBusy = taken.length === room;
        for (const each of taken) this.#accept(each);
      }
    } finally {
      this.#isInputOver = true;
      this.#inboxChanged.notify();
    }
  }

  /**
   * Runs one application instance after another until the listener has ended and the inbox is empty. If the
   * application keeps failing to start, `stopping` ends it and the inbox keeps its messages.
   */
  async serve(stopping: AbortSignal): Promise<void> {
    void this.#intake.extendLeases(this.#over.signal);
    let failures = 0;
    while (await this.#hasMessage()) {
      const { tookMessage, error } = await this.#runInstance();
      if (tookMessage) failures = 0;
      if (tookMessage || this.#inbox.length === 0) continue;
      failures++;
      const retryMs = backOffMs(failures, this.#options.random);
      this.#reportError({ type: 'instanceFailed', channel: this.channel, error, retryMs });
      if (!(await this.#restartIn(retryMs, stopping))) return;
    }
  }

  /**
   * Ends the instance, reports its handler if that still runs, and puts unstarted messages back. The worker
   * calls it last, after the grace.
   */
  async end(signal: AbortSignal): Promise<void> {
    if (this.#inHand !== undefined) {
      const { message, since, taken } = this.#inHand;
      this.#intake.failed(taken);
      const runningMs = this.#options.clock.now() - since;
      this.#options.report({ type: 'gaveUp', channel: this.channel, messageType: message.type, runningMs });
    }
    const unstarted = this.#inbox.splice(0);
    this.#instanceOver.abort(new StopConsumer());
    await this.#giveBack(unstarted, signal);
    await Promise.all(this.#acknowledging);
    this.#over.abort();
  }

  /**
   * Waits until there is room, and returns how many messages to request; 0 after `stopping`. On a busy
   * channel it waits until half of the messages are finished, so that it takes batches and not single
   * messages.
   */
  async #room(stopping: AbortSignal): Promise<number> {
    const { prefetch } = this.#options;
    const mayHold = this.#isBusy ? Math.floor(prefetch / 2) : prefetch - 1;
    while (this.#held > mayHold && !stopping.aborted) await this.#inboxChanged.wait(stopping);
    return stopping.aborted ? 0 : prefetch - this.#held;
  }

  /** The number of unfinished messages. */
  get #held(): number {
    return this.#inbox.length + (this.#inHand === undefined ? 0 : 1);
  }

  /**
   * Waits for messages. Returns none after `stopping`, and after a failure when it is time for the next try.
   */
  async #take(max: number, stopping: AbortSignal): Promise<readonly Taken[]> {
    const { channel } = this;
    const { report, random } = this.#options;
    try {
      const taken = await this.#intake.take(max, stopping);
      const failures = this.#listenerFailures;
      this.#listenerFailures = 0;
      if (failures > 0) report({ type: 'listenerRecovered', channel, failures });
      return taken;
    } catch (error) {
      if (stopping.aborted) return [];
      if (error instanceof LayerClosedError || error instanceof ForeignChannelError) throw error;
      const retryMs = backOffMs(++this.#listenerFailures, random);
      this.#reportError({ type: 'listenerFailed', channel, error: asError(error), retryMs });
      await this.#restartIn(retryMs, stopping);
      return [];
    }
  }

  #accept(taken: Taken): void {
    this.#counts.received++;
    if (isMessage(taken.received)) {
      this.#inbox.push({ message: taken.received, taken });
      this.#inboxChanged.notify();
      return;
    }
    this.#done(taken);
    this.#counts.dropped++;
    const error = new MalformedMessageError(undefined, new Error('expected a map with a type that is text'));
    this.#reportError({ type: 'badMessage', channel: this.channel, error });
  }

  async #hasMessage(): Promise<boolean> {
    while (this.#inbox.length === 0 && !this.#isInputOver) await this.#inboxChanged.wait();
    return this.#inbox.length > 0;
  }

  /** Runs one instance to its end. Returns whether it took a message, and the error that ended it. */
  async #runInstance(): Promise<{ tookMessage: boolean; error: Error }> {
    const over = new AbortController();
    this.#instanceOver = over;
    this.#tookMessage = false;
    const receive: Receive = () => {
      this.#finish();
      return this.#takeMessage(over.signal);
    };
    const send: Send = async () => {
      throw new NoClientError(this.channel);
    };
    const scope: Scope = { type: 'channel', channel: this.channel };
    let error: Error = new ApplicationEndedError(this.channel);
    try {
      await this.#options.application(scope, receive, send);
      this.#finish();
    } catch (thrown) {
      error = asError(thrown);
      if (this.#tookMessage) this.#finishFailed(error);
    } finally {
      over.abort(new StopConsumer());
    }
    return { tookMessage: this.#tookMessage, error };
  }

  async #takeMessage(over: AbortSignal): Promise<Message> {
    for (;;) {
      while (this.#inbox.length === 0) {
        if (this.#isInputOver || over.aborted) throw new StopConsumer();
        await this.#inboxChanged.wait(over);
      }
      await this.#options.slots.take(over);
      const next = over.aborted ? undefined : this.#nextInInbox();
      if (next !== undefined) {
        this.#inHand = { ...next, since: this.#options.clock.now() };
        this.#tookMessage = true;
        return next.message;
      }
      this.#options.slots.put(true);
      over.throwIfAborted();
    }
  }

  /** The next message of the inbox. Skips messages whose lease is over: another receiver may have them. */
  #nextInInbox(): InboxMessage | undefined {
    for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
      this.#inboxChanged.notify();
      if (!this.#intake.isOver(next.taken)) return next;
      this.#intake.failed(next.taken);
      this.#counts.returned++;
    }
    return undefined;
  }

  /** Completes the message in hand: the instance asked for the next one, or ended without an error. */
  #finish(): void {
    const taken = this.#letGo()?.taken;
    if (taken === undefined) return;
    this.#counts.handled++;
    this.#done(taken);
  }

  #finishFailed(error: Error): void {
    if (error instanceof StopConsumer) {
      this.#finish();
      return;
    }
    const { message, taken } = this.#letGo() ?? {};
    const { channel } = this;
    const messageType = message?.type;
    const isMine = 'type' in error && error.type === messageType;
    const isUnknown = isMine && error instanceof NoHandlerError;
    const isBad = isMine && error instanceof MalformedMessageError;
    if (isUnknown || isBad) this.#done(taken);
    else if (taken !== undefined) this.#intake.failed(taken);
    if (taken !== undefined) this.#counts[isUnknown || isBad ? 'dropped' : 'failed']++;
    if (isUnknown) this.#reportError({ type: 'unknownType', channel, messageType: error.type, error });
    else if (isBad) this.#reportError({ type: 'badMessage', channel, messageType, error });
    else this.#reportError({ type: 'handlerFailed', channel, messageType, error });
  }

  /** Acknowledges a message in the background. */
  #done(taken: Taken | undefined): void {
    if (taken === undefined) return;
    const acknowledged: Promise<void> = this.#intake.done(taken).then(() => {
      this.#acknowledging.delete(acknowledged);
    });
    this.#acknowledging.add(acknowledged);
  }

  #letGo(): InboxMessage | undefined {
    const inHand = this.#inHand;
    if (inHand === undefined) return undefined;
    this.#inHand = undefined;
    this.#options.slots.put(true);
    this.#inboxChanged.notify();
    return inHand;
  }

  async #restartIn(delayMs: number, stopping: AbortSignal): Promise<boolean> {
    this.#restarting++;
    const isOver = await pause(this.#options.clock, delayMs, stopping);
    this.#restarting--;
    return isOver;
  }

  async #giveBack(messages: readonly InboxMessage[], signal: AbortSignal): Promise<void> {
    const { channel } = this;
    const outcomes = await Promise.allSettled(
      messages.map(({ taken }) => this.#intake.giveBack(taken, signal)),
    );
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    const lost = refusals.length;
    const count = messages.length - lost;
    this.#counts.returned += count;
    this.#counts.lost += lost;
    if (lost > 0) this.#reportError({ type: 'lost', channel, messages: lost, error: asError(refusals[0]) });
    if (count > 0) this.#options.report({ type: 'returned', channel, messages: count });
  }

  #reportNotAcknowledged({ type }: Received, error: unknown): void {
    const messageType = typeof type === 'string' ? type : undefined;
    const event = { type: 'notAcknowledged', channel: this.channel, messageType } as const;
    if (error === undefined) this.#options.report(event);
    else this.#reportError({ ...event, error: asError(error) });
  }

  #reportError(event: WorkerEvent & { readonly error: Error }): void {
    this.#lastError = { error: event.error, at: this.#options.clock.now() };
    this.#options.report(event);
  }
}

interface InboxMessage {
  readonly message: Received & Message;
  readonly taken: Taken;
}

/** The application returned without taking the message that it was started for. */
class ApplicationEndedError extends ChannelsError {
  constructor(channel: string) {
    super(
      'CHANNELS_ERR_APPLICATION_ENDED',
      `the application of channel ${JSON.stringify(channel)} ended without taking a message`,
    );
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${String(thrown)}`, { cause: thrown });
}
