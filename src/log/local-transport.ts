// The short way of log records: the logger coroutine runs in the sender's own process.

import type { Reply } from './inbox.js';
import type { LogAnswer, SenderRequest } from './messages.js';
import type { LogTransport, Outgoing } from './transport.js';

/** What takes batches in this process: the logger coroutine's writer. */
export interface LocalReceiver {
  accept(request: SenderRequest, reply: Reply): void;
}

/** Hands batches to a receiver in this process while there is one, else to another transport. */
export class LocalTransport implements LogTransport {
  readonly #elsewhere: LogTransport;
  #receiver: LocalReceiver | undefined;
  #onAnswer: (answer: LogAnswer) => void = () => {};

  /** @param elsewhere where the logger coroutine is when it is not here */
  constructor(elsewhere: LogTransport) {
    this.#elsewhere = elsewhere;
  }

  /** The logger coroutine began to work in this process or, with undefined, ended. */
  connect(receiver: LocalReceiver | undefined): void {
    this.#receiver = receiver;
    if (receiver !== undefined) this.#onAnswer({ type: 'log.ready' });
  }

  listen(onAnswer: (answer: LogAnswer) => void): void {
    this.#onAnswer = onAnswer;
    this.#elsewhere.listen(onAnswer);
  }

  async deliver(message: Outgoing): Promise<void> {
    if (this.#receiver === undefined) await this.#elsewhere.deliver(message);
    else this.#receiver.accept({ ...message, reply_channel: '' }, (answer) => this.#onAnswer(answer));
  }

  async rest(): Promise<void> {
    await this.#elsewhere.rest();
  }

  async close(): Promise<void> {
    await this.#elsewhere.close();
  }
}
