// A process that takes over what an ended one of the same name left on its machine.

import type { Clock } from '../clock.js';
import { SpoolAdopter } from './adopter.js';
import type { Reply } from './inbox.js';
import type { LogAnswer, LogRecords } from './messages.js';
import type { LogTransport, Outgoing } from './transport.js';

export interface HeirOptions {
  /** How messages get to the logger coroutine. */
  readonly transport: LogTransport;
  /** The name of this process, as in `web[812]`: it takes what others of that name left. */
  readonly name: string;
  readonly spoolDirectory: string;
  readonly clock: Clock;
}

/**
 * Stands between a sender and its transport. As long as the logger coroutine runs on this machine, it does nothing: the
 * coroutine itself brings in what dead processes left. When it says that it cannot read this machine's files, the heir
 * looks for spool files of dead processes of its name and sends what is in them, as their sender would have.
 */
export class Heir implements LogTransport {
  readonly #transport: LogTransport;
  readonly #adopter: SpoolAdopter;
  /** Who is told of an answer that is not for this process's own sender. */
  readonly #replies = new Map<string, Reply>();
  #onAnswer: (answer: LogAnswer) => void = () => {};
  #isLooking = false;

  constructor({ transport, name, spoolDirectory, clock }: HeirOptions) {
    this.#transport = transport;
    this.#adopter = new SpoolAdopter({
      directories: [spoolDirectory],
      clock,
      accept: (batch, reply) => this.#send(batch, reply),
      isWanted: ({ sender }) => sender.slice(0, sender.lastIndexOf('[')) === name,
      // A file whose process cannot be seen from here is for those who can.
      readsElsewhere: false,
    });
    transport.listen((answer) => this.#hear(answer));
  }

  listen(onAnswer: (answer: LogAnswer) => void): void {
    this.#onAnswer = onAnswer;
  }

  async deliver(message: Outgoing): Promise<void> {
    await this.#transport.deliver(message);
  }

  async rest(): Promise<void> {
    await this.#transport.rest();
  }

  async close(): Promise<void> {
    await this.#adopter.stop();
    await this.#transport.close();
  }

  #send(batch: LogRecords, reply: Reply): void {
    const { reply_channel: _none, ...message } = batch;
    this.#replies.set(keyOf(batch), reply);
    // What does not arrive is not acknowledged, and the adopter tries again.
    this.#transport.deliver(message).catch(() => undefined);
  }

  #hear(answer: LogAnswer): void {
    if (answer.type === 'log.resend' && answer.inline === true && !this.#isLooking) {
      this.#isLooking = true;
      this.#adopter.start();
    }
    const reply = answer.type === 'log.ready' ? undefined : this.#replies.get(keyOf(answer));
    if (reply === undefined) this.#onAnswer(answer);
    else reply(answer);
  }
}

function keyOf({ sender, epoch }: { readonly sender: string; readonly epoch: string }): string {
  return `${sender} ${epoch}`;
}
