// Sends the records of a spool until they are acknowledged.

import type { Clock } from '../../base/clock.js';
import type { Owner } from '../../base/process-owner.js';
import { type Batch, batchBytes, lastOf } from '../batch.js';
import type { LogAnswer } from '../messages.js';
import type { Spool } from './spool.js';
import type { LogTransport, OutgoingRecords } from './transport.js';

export interface ForwarderOptions {
  /** The label of the sender whose records these are. */
  readonly sender: string;
  readonly epoch: string;
  readonly owner: Owner;
  readonly spool: Spool;
  readonly clock: Clock;
  /**
   * Whether the log may have the records already. Then the first one is sent alone, and the answer says what
   * the log has.
   */
  readonly probesFirst?: boolean | undefined;
  /** Called when more is acknowledged, and when answers stop. Must not throw. */
  readonly onChange: () => void;
}

/** Maximum bytes that are sent and not acknowledged. More waits in the spool. */
const windowBytes = 2 * 1024 ** 2;
/**
 * Minimum time between two batches, unless `enoughBytes` wait: a message costs more than the records in it.
 */
const sendEveryMs = 100;
const enoughBytes = 256 * 1024;
/** Without an answer for this long, no logger coroutine listens. */
const answerMs = 1000;
/**
 * Wait before the first probe while no coroutine listens. It doubles with each probe, up to `longestRetryMs`.
 */
const firstRetryMs = 100;
const longestRetryMs = 5000;

/**
 * Sends batches, and releases acknowledged records from the spool. The forwarder is in one of these modes:
 *
 * - *sending*: sends what the spool has, as long as the window has room. No acknowledgement for a second, or
 *   a layer that refuses a batch: *probing*.
 * - *probing*: sends the first unacknowledged batch again, at growing intervals. An acknowledgement, or a
 *   logger coroutine that announces its start: *sending*, from the last acknowledged number on (go-back-N).
 * - *closed*: sends nothing.
 *
 * None of its timers keeps the process alive.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #transport: LogTransport | undefined;
  #unlisten: () => void = () => {};
  #mode: 'sending' | 'probing' | 'closed' = 'probing';
  #acked = 0;
  /** The last number that was sent. */
  #sent = 0;
  #isPumping = false;
  #isUrgent = false;
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

  /** Whether a logger coroutine seems to listen. */
  get isSending(): boolean {
    return this.#mode === 'sending';
  }

  /** Starts sending. */
  connect(transport: LogTransport): void {
    if (this.#mode === 'closed') return;
    this.#transport = transport;
    this.#unlisten = transport.listen((answer) => this.#onAnswer(answer));
    this.#startSending();
  }

  /**
   * The spool has new records. @param isUrgent whether a caller waits for all of them, so that none waits for
   * its turn
   */
  wake(isUrgent = false): void {
    this.#isUrgent ||= isUrgent;
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
    if (this.#isFirstProbe && this.#sent > 0) return false;
    const bytes = spool.bytesAbove(this.#sent);
    if (spool.bytesAbove(this.#acked) - bytes >= windowBytes) return false;
    if (bytes === 0) {
      this.#isUrgent = false;
      return false;
    }
    const sinceMs = clock.now() - this.#sentAt;
    if (this.#isUrgent || bytes >= enoughBytes || sinceMs >= sendEveryMs || sinceMs < 0) return true;
    this.#cancelPace ??= clock.after(sendEveryMs - sinceMs, () => {
      this.#cancelPace = undefined;
      void this.#pump();
    });
    return false;
  }

  /** Whether the first answer, which says what the log has, is still to come. */
  get #isFirstProbe(): boolean {
    return this.#options.probesFirst === true && this.#acked === 0;
  }

  /** @returns whether a batch was sent */
  async #sendNext(): Promise<boolean> {
    const { spool, clock } = this.#options;
    const isProbing = this.#mode === 'probing';
    const batch = spool.next(this.#sent, this.#isFirstProbe ? 1 : isProbing ? batchBytes : enoughBytes);
    if (batch === undefined || this.#transport === undefined) return false;
    this.#sent = lastOf(batch);
    this.#sentAt = clock.now();
    if (!isProbing) this.#cancelAnswerTimer ??= clock.after(answerMs, () => this.#startProbing());
    try {
      await this.#transport.deliver(this.#message(batch));
      return true;
    } catch {
      // A full channel and a lost layer are normal: the spool keeps the records, and a probe follows.
      if (this.#mode === 'sending') this.#startProbing();
      return false;
    }
  }

  #message({ first, count, bytes }: Batch): OutgoingRecords {
    const { sender, epoch, owner, spool } = this.#options;
    const base = Math.max(1, Math.min(spool.base ?? first, first));
    return { type: 'log.records', sender, epoch, owner, first, count, acked: this.#acked, base, bytes };
  }

  #startProbing(): void {
    this.#mode = 'probing';
    this.#retryMs = firstRetryMs;
    this.#rewind();
    this.#probeLater();
    this.#options.onChange();
  }

  #probeLater(): void {
    this.#cancelAnswerTimer?.();
    this.#cancelAnswerTimer = this.#options.clock.after(this.#retryMs, () => {
      this.#rewind();
      if (this.#options.spool.isEmpty) {
        this.#startSending();
        return;
      }
      void this.#sendNext();
      this.#probeLater();
    });
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
  }

  #onAnswer(answer: LogAnswer): void {
    if (this.#mode === 'closed') return;
    const { sender, epoch, spool, probesFirst } = this.#options;
    if (answer.type === 'log.ready') {
      this.#startSending();
      return;
    }
    const isOurs = answer.sender === sender && answer.epoch === epoch;
    // The log has more than a restored spool, or than one whose end was lost in a power failure.
    const last = probesFirst ? Math.min(answer.last, spool.last) : answer.last;
    if (!isOurs || last <= this.#acked || last > spool.last) return;
    this.#acked = last;
    spool.release(last);
    this.#sent = Math.max(this.#sent, last);
    if (this.#mode === 'probing') this.#startSending();
    this.#cancelAnswerTimer?.();
    const isMore = this.#sent > this.#acked;
    this.#cancelAnswerTimer = isMore
      ? this.#options.clock.after(answerMs, () => this.#startProbing())
      : undefined;
    void this.#pump();
    this.#options.onChange();
  }

  #startSending(): void {
    this.#cancelAnswerTimer?.();
    this.#cancelAnswerTimer = undefined;
    this.#mode = 'sending';
    this.#rewind();
    void this.#pump();
  }

  /** Continues after the last acknowledged number. */
  #rewind(): void {
    this.#sent = this.#acked;
    this.#sentAt = Number.NEGATIVE_INFINITY;
  }
}
