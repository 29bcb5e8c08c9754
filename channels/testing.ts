// For tests of applications: plays the other end of one instance.

import type { Application, Message, Receive, Scope, Send } from './application.js';
import { ChannelsError, StopConsumer } from './errors.js';
import { Bell } from './waiting/bell.js';
import { WaitingQueue } from './waiting/waiting-queue.js';

/** What a test waited for did not come in time. */
export class CommunicatorTimeoutError extends ChannelsError {
  readonly timeoutMs: number;

  constructor(what: string, timeoutMs: number) {
    super('CHANNELS_ERR_COMMUNICATOR_TIMEOUT', `expected the application to ${what} within ${timeoutMs} ms`);
    this.timeoutMs = timeoutMs;
  }
}

/** A test waited for output of an application that has ended, in peace, without it. */
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
  /** Rung when there is output, and when the application is over. */
  readonly #changed = new Bell();
  readonly #stopping = new AbortController();
  #isOver = false;
  readonly #outcome: Promise<{ error?: unknown }>;

  /** Starts the application. */
  constructor(application: Application, scope: Scope) {
    this.#outcome = this.#run(application, scope);
  }

  /** Gives the application a message to receive. Rejects with the application's error when it has failed. */
  async sendInput<M extends Message>(message: M): Promise<void> {
    if (this.#isOver) await this.#rethrow();
    this.#input.put(message);
  }

  /**
   * Waits for the next message that the application sends.
   *
   * @throws CommunicatorTimeoutError after `timeoutMs` ms; ApplicationOverError, or the application's error, when it
   *   has ended
   */
  async receiveOutput<M extends Message = Message>(timeoutMs = 1000): Promise<M> {
    await this.#hasOutput(timeoutMs);
    const message = this.#output.shift();
    // The test says what it expects and then looks at it.
    if (message !== undefined) return message as M;
    if (!this.#isOver) throw new CommunicatorTimeoutError('send a message', timeoutMs);
    await this.#rethrow();
    throw new ApplicationOverError();
  }

  /** Whether the application sends nothing for `timeoutMs` ms. What it sent stays to be received. */
  async receiveNothing(timeoutMs = 100): Promise<boolean> {
    return !(await this.#hasOutput(timeoutMs));
  }

  /**
   * Waits for the application to end by itself.
   *
   * @throws CommunicatorTimeoutError after `timeoutMs` ms; the application's error
   */
  async wait(timeoutMs = 1000): Promise<void> {
    await this.#until(() => this.#isOver, timeoutMs);
    if (!this.#isOver) throw new CommunicatorTimeoutError('end', timeoutMs);
    await this.#rethrow();
  }

  /** Ends the application: its `receive` rejects with StopConsumer. Then as `wait`. Safe to call twice. */
  async stop(timeoutMs = 1000): Promise<void> {
    this.#stopping.abort(new StopConsumer());
    await this.wait(timeoutMs);
  }

  async #run(application: Application, scope: Scope): Promise<{ error?: unknown }> {
    const receive: Receive = () => this.#input.take(this.#stopping.signal);
    const send: Send = async (message) => {
      this.#output.push(message);
      this.#changed.ring();
    };
    try {
      await application(scope, receive, send);
      return {};
    } catch (error) {
      return error instanceof StopConsumer ? {} : { error };
    } finally {
      this.#isOver = true;
      this.#changed.ring();
    }
  }

  /** Waits until there is output, or there can be none. */
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
