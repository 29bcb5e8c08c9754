// The messages that wait for one application instance, and its `receive`.

import type { Message } from '../application.js';
import { StopConsumer } from '../errors.js';

/** First in, first out. After `end`, what is left is received, and then StopConsumer is thrown. */
export class Inbox {
  readonly #messages: Message[] = [];
  readonly #waiters: Array<PromiseWithResolvers> = [];
  #isOver = false;

  get length(): number {
    return this.#messages.length;
  }

  put(message: Message): void {
    if (this.#isOver) return;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#messages.push(message);
    else waiter.resolve(message);
  }

  receive(): Promise<Message> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (this.#isOver) return Promise.reject(new StopConsumer());
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Puts the last message, if there is one. */
  end(last?: Message): void {
    if (last !== undefined) this.put(last);
    this.#isOver = true;
    for (const { reject } of this.#waiters.splice(0)) reject(new StopConsumer());
  }
}

interface PromiseWithResolvers {
  resolve(message: Message): void;
  reject(error: Error): void;
}
