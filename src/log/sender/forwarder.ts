// Sends what lies in a spool, until it is acknowledged.

import type { Clock } from '../../base/clock.js';
import type { Owner } from '../../base/process-owner.js';
import { type Batch, batchBytes, lastOf } from '../batch.js';
import type { LogAnswer } from '../messages.js';
import type { Spool } from './spool.js';
import type { LogTransport, OutgoingRecords } from './transport.js';

export interface ForwarderOptions {
  /** Whose records they are. */
  readonly sender: string;
  readonly epoch: string;
  readonly owner: Owner;
  readonly spool: Spool;
  readonly clock: Clock;
  /** Whether it may be that the log has the records: then the first is sent alone, and the answer tells. */
  readonly asksFirst?: boolean | undefined;
  /** Called when more is acknowledged, and when nobody answers any more. Must not throw. */
  readonly onChange: () => void;
}

/** What may be under way without an acknowledgement. More waits in the spool. */
const windowBytes = 2 * 1024 ** 2;
/** Batches are sent no more often, unless so much waits: a message costs more than the records in it. */
const sendEveryMs = 100;
const enoughBytes = 256 * 1024;
/** Nobody answered for so long: nobody listens. */
const answerMs = 1000;
/** While nobody does, one batch is sent now and then: so long after the last one, and then twice as long. */
const firstRetryMs = 100;
const longestRetryMs = 5000;

/**
 * Sends batches by value, and has the spool forget what is acknowledged. It is in one of these modes:
 *
 * - *sending*: what comes into the spool is sent, as long as the window has room. No progress for a second, or a layer that
 *   refuses: *waiting*, from the last acknowledged number on (go-back-N).
 * - *waiting*: one batch is sent again now and then. Any progress, or a logger coroutine that says that it has started:
 *   *sending*.
 * - *closed*: nothing is sent any more.
 *
 * None of its timers keeps the process alive.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #transport: LogTransport | undefined;
  #unlisten: () => void = () => {};
  #mode: 'sending' | 'waiting' | 'closed' = 'waiting';
  #acked = 0;
  /** The last number that was sent. */
  #sent = 0;
  #isPumping = false;
  #isHurried = false;
  #sentAt = Number.NEGATIVE_INFINITY;
  #retryMs = firstRetryMs;
  #cancelPace: (() => void) | undefined;
  #cancelAnswerTimer: (() => void) | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** The last number that is known to be in the log. */
  get acknowledged(): number {
    return this.#acked;
  }

  /** Whether what is in the spool has a chance of being acknowledged now. */
  get isSending(): boolean {
    return this.#mode === 'sending';
  }

  /** Begins to send. Before, everything waits in the spool. */
  connect(transport: LogTransport): void {
    if (this.#mode === 'closed') return;
    this.#transport = transport;
    this.#unlisten = transport.listen((answer) => this.#onAnswer(answer));
    this.#startSending();
  }

  /** There is something new in the spool. @param isHurried whether somebody waits for all of it */
  wake(isHurried = false): void {
    this.#isHurried ||= isHurried;
    void this.#pump();
  }

  /** Safe to call twice. */
  close(): void {
    this.#mode = 'closed';
    this.#unlisten();
    this.#cancelPace?.();
    this.#cancelAnswerTimer?.();
    this.#options.onChange();
  }

  /** Sends one batch after the other. Never rejects. */
  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#mode === 'sending' && this.#isDue()) if (!(await this.#sendNext())) break;
    this.#isPumping = false;
  }

  #isDue(): boolean {
    const { spool, clock } = this.#options;
    if (this.#asks && this.#sent > 0) return false;
    const bytes = spool.bytesAbove(this.#sent);
    if (spool.bytesAbove(this.#acked) - bytes >= windowBytes) return false;
    if (bytes === 0) {
      this.#isHurried = false;
      return false;
    }
    const sinceMs = clock.now() - this.#sentAt;
    if (this.#isHurried || bytes >= enoughBytes || sinceMs >= sendEveryMs || sinceMs < 0) return true;
    this.#cancelPace ??= clock.after(sendEveryMs - sinceMs, () => {
      this.#cancelPace = undefined;
      void this.#pump();
    });
    return false;
  }

  /** Whether it is still to be told what the log has. */
  get #asks(): boolean {
    return this.#options.asksFirst === true && this.#acked === 0;
  }

  /** @returns whether there was something that could be sent */
  async #sendNext(): Promise<boolean> {
    const { spool, clock } = this.#options;
    const isWaiting = this.#mode === 'waiting';
    const batch = spool.next(this.#sent, this.#asks ? 1 : isWaiting ? batchBytes : enoughBytes);
    if (batch === undefined || this.#transport === undefined) return false;
    this.#sent = lastOf(batch);
    this.#sentAt = clock.now();
    if (!isWaiting) this.#cancelAnswerTimer ??= clock.after(answerMs, () => this.#startWaiting());
    try {
      await this.#transport.deliver(this.#message(batch));
      return true;
    } catch {
      // A full channel and a layer that is away are no news: the spool has the records, so ask again later.
      if (this.#mode === 'sending') this.#startWaiting();
      return false;
    }
  }

  #message({ first, count, bytes }: Batch): OutgoingRecords {
    const { sender, epoch, owner, spool } = this.#options;
    const base = Math.max(1, Math.min(spool.base ?? first, first));
    return { type: 'log.records', sender, epoch, owner, first, count, acked: this.#acked, base, bytes };
  }

  #startWaiting(): void {
    this.#mode = 'waiting';
    this.#retryMs = firstRetryMs;
    this.#goBack();
    this.#retryLater();
    this.#options.onChange();
  }

  #retryLater(): void {
    this.#cancelAnswerTimer?.();
    this.#cancelAnswerTimer = this.#options.clock.after(this.#retryMs, () => {
      this.#goBack();
      if (this.#options.spool.isEmpty) {
        this.#startSending();
        return;
      }
      void this.#sendNext();
      this.#retryLater();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
  }

  #onAnswer(answer: LogAnswer): void {
    if (this.#mode === 'closed') return;
    const { sender, epoch, spool } = this.#options;
    if (answer.type === 'log.ready') {
      this.#startSending();
      return;
    }
    const isOurs = answer.sender === sender && answer.epoch === epoch;
    if (!isOurs || answer.last <= this.#acked || answer.last > spool.last) return;
    this.#acked = answer.last;
    spool.release(answer.last);
    this.#sent = Math.max(this.#sent, answer.last);
    if (this.#mode === 'waiting') this.#startSending();
    this.#cancelAnswerTimer?.();
    const isMore = this.#sent > this.#acked;
    this.#cancelAnswerTimer = isMore
      ? this.#options.clock.after(answerMs, () => this.#startWaiting())
      : undefined;
    void this.#pump();
    this.#options.onChange();
  }

  #startSending(): void {
    this.#cancelAnswerTimer?.();
    this.#cancelAnswerTimer = undefined;
    this.#mode = 'sending';
    this.#goBack();
    void this.#pump();
  }

  /** What is not acknowledged is sent again. */
  #goBack(): void {
    this.#sent = this.#acked;
    this.#sentAt = Number.NEGATIVE_INFINITY;
  }
}
