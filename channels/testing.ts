// A test helper for applications: it plays the other side of one instance.

import type { Application, Message, Receive, Scope, Send } from './application.js';
import { ChannelsError, StopConsumer } from './errors.js';
import { Notifier } from './waiting/notifier.js';
import { WaitingQueue } from './waiting/waiting-queue.js';

/** The application did not do in time what the test waits for. */
export class CommunicatorTimeoutError extends ChannelsError {
  readonly timeoutMs: number;

  constructor(what: string, timeoutMs: number) {
    super('CHANNELS_ERR_COMMUNICATOR_TIMEOUT', `expected the application to ${what} within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** The application ended without the output that the test waits for. */
export class ApplicationOverError extends ChannelsError {
  constructor() {
    super('CHANNELS_ERR_APPLICATION_OVER', 'the application has ended and sent nothing more');
  }
}

/**
 * Runs one instance of an application and talks to it.
 *
 * Source: django/channels channels/testing/application.py (asgiref.testing).
 * @example
 * const chat = new ApplicationCommunicator(application, { type: 'websocket', path: '/chat/' });
 * await chat.sendInput({ type: 'websocket.connect' });
 * t.match(await chat.receiveOutput(), { type: 'websocket.accept' });
 * await chat.stop();
 */
export class ApplicationCommunicator {
  readonly #input = new WaitingQueue<Message>();
  readonly #output: Message[] = [];
  /** Notified of output and of the end of the application. */
  readonly #changed = new Notifier();
  readonly #stopping = new AbortController();
  #isOver = false;
  readonly #outcome: Promise<{ error?: unknown }>;

  /** Starts the application. */
  constructor(application: Application, scope: Scope) {
    this.#outcome = this.#run(application, scope);
  }

  /** Sends the application a message. Rejects with the application's error if it failed. */
  async sendInput<M extends Message>(message: M): Promise<void> {
    if (this.#isOver) await this.#rethrow();
    this.#input.put(message);
  }

  /**
   * Waits for the next message that the application sends.
   *
   * @throws CommunicatorTimeoutError after `timeoutMs` ms; ApplicationOverError, or the application's error,
   *   when it has ended
   */
  async receiveOutput<M extends Message = Message>(timeoutMs = 1000): Promise<M> {
    await this.#hasOutput(timeoutMs);
    const message = this.#output.shift();
    // The test declares the type that it expects, and checks it.
    if (message !== undefined) return message as M;
    if (!this.#isOver) throw new CommunicatorTimeoutError('send a message', timeoutMs);
    await this.#rethrow();
    throw new ApplicationOverError();
  }

  /** Whether the application sends nothing for `timeoutMs` ms. Earlier output stays available. */
  async receiveNothing(timeoutMs = 100): Promise<boolean> {
    return !(await this.#hasOutput(timeoutMs));
  }

  /**
   * Waits for the application to end.
   *
   * @throws CommunicatorTimeoutError after `timeoutMs` ms; the application's error
   */
  async wait(timeoutMs = 1000): Promise<void> {
    await this.#until(() => this.#isOver, timeoutMs);
    if (!this.#isOver) throw new CommunicatorTimeoutError('end', timeoutMs);
    await this.#rethrow();
  }

  /**
   * Stops the application: its `receive` rejects with StopConsumer. Then waits as `wait` does. Safe to call
   * twice.
   */
  async stop(timeoutMs = 1000): Promise<void> {
    this.#stopping.abort(new StopConsumer());
    await this.wait(timeoutMs);
  }

  async #run(application: Application, scope: Scope): Promise<{ error?: unknown }> {
    const receive: Receive = () => this.#input.take(this.#stopping.signal);
    const send: Send = async (message) => {
      this.#output.push(message);
      this.#changed.notify();
    };
    try {
      await application(scope, receive, send);
      return {};
    } catch (error) {
      return error instanceof StopConsumer ? {} : { error };
    } finally {
      this.#isOver = true;
      this.#changed.notify();
    }
  }

  /** Waits for output or for the end of the application. */
  async #hasOutput(timeoutMs: number): Promise<boolean> {
    await this.#until(() => this.#output.length > 0 || this.#isOver, timeoutMs);
    return this.#output.length > 0;
  }

  async #until(condition: () => boolean, timeoutMs: number): Promise<void> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    while (!condition() && !timeout.signal.aborted) await this.#changed.wait(timeout.signal);
    clearTimeout(timer);
  }

  /** Throws the application's error, if it ended with one. */
  async #rethrow(): Promise<void> {
    const { error } = await this.#outcome;
    if (error !== undefined) throw error;
  }
}
