// Whether the log is complete, checked while somebody looks.

import { positionText } from '../../log/read/position.js';
import { RunningCheck } from '../../log/read/running-check.js';
import type { RecordPosition, Sequence } from '../../log/read/sequence.js';
import type { LostNumbers } from '../../log/read/verify.js';
import type { CompletenessView, GapView } from '../api.js';
import type { ConsoleContext } from '../context.js';
import { wait } from '../stream.js';

/** The page asks again every few seconds. */
const idleMs = 15_000;
const pollMs = 500;
/** Maximum senders of an answer, and gaps of a sender. */
const mostSenders = 500;
const mostGaps = 100;

export class Completeness {
  readonly #context: ConsoleContext;
  readonly #check: RunningCheck;
  readonly #stop = new AbortController();
  #askedAt = 0;
  #running: Promise<void> | undefined;

  constructor(context: ConsoleContext) {
    const { logFile, settings } = context.site;
    this.#context = context;
    this.#check = new RunningCheck(logFile, settings.timezone);
  }

  /** What is known now. The check goes on for a while. */
  view(): CompletenessView {
    this.#askedAt = performance.now();
    this.#running ??= this.#run();
    const { current, share } = this.#check;
    const senders = Array.from(current.sequences, (sequence) => senderView(sequence, current.lost));
    const key = ({ gaps, lastAt }: SenderView) => `${gaps.length > 0 ? 1 : 0} ${lastAt ?? ''}`;
    senders.sort((a, b) => (key(b) < key(a) ? -1 : 1));
    return {
      checked: share,
      faults: current.report().faultCount,
      total: senders.length,
      senders: senders.slice(0, mostSenders),
    };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    try {
      while (!signal.aborted && performance.now() - this.#askedAt < idleMs) {
        await this.#check.update(signal);
        await wait(pollMs, signal);
      }
    } catch (error) {
      this.#context.logger.warning('the console cannot check the log', error);
    } finally {
      this.#running = undefined;
    }
  }
}

type SenderView = CompletenessView['senders'][number];

function senderView(sequence: Sequence, allLost: ReadonlyArray<LostNumbers & RecordPosition>): SenderView {
  const { sender, epoch, first, last, lastInstant } = sequence;
  const lost = allLost.filter((range) => range.sender === sender && range.epoch === epoch);
  const gaps: GapView[] = [
    ...sequence.gaps.map(({ from, to, noticed }) => gapView(from, to, 'missing', noticed)),
    ...lost.map((range) => gapView(range.from, range.to, 'reported as lost', range)),
  ].sort((a, b) => a.from - b.from);
  return {
    sender,
    epoch,
    first,
    last,
    proven: gaps[0] === undefined ? last : gaps[0].from - 1,
    lastAt: lastInstant === undefined ? null : new Date(lastInstant).toISOString(),
    gaps: gaps.slice(0, mostGaps),
  };
}

function gapView(from: number, to: number, text: string, { position }: RecordPosition): GapView {
  return { from, to, text, id: positionText(position) };
}
