// When a process tells the others what it has counted, and what it remembers.
//
//   something happens ──▶ within a second: counts, and the events if they are few ──▶ again after a second
//   a second without  ──▶ the events, if there were many ──▶ then at every other beat a sign of life
//
// So an idle process has left everything that it knows, and need not be asked; a busy one can be, once a second.

import { setTimeout as pause } from 'node:timers/promises';
import { beatMs, untilBeat } from '../beat.js';
import { LayerUnavailableError, type UnavailableReason } from '../errors.js';
import type { Recorder } from './recorder.js';
import type { ProcessIdentity, Report, XraySource } from './source.js';

export interface PublisherOptions {
  readonly process: ProcessIdentity;
  readonly recorder: Recorder;
  readonly source: XraySource;
  /** The channels on which somebody waits in this process. */
  readonly receives: () => readonly string[];
}

const busyEveryMs = 1000;
/** A timer may go off a little before its time. */
const timerSlackMs = 2;
/** After a refusal that will not pass by itself soon, as of a user without the rights. */
const refusedEveryMs = 60_000;
/** Up to so many events are left at once, without being asked for. */
const fewEvents = 200;
/** Then they are written anew as one. */
const mostPieces = 32;
/** Bounds one report. */
const channelsPerReport = 500;
const closeWithinMs = 500;
const refusals: ReadonlySet<UnavailableReason> = new Set(['access-denied', 'refused']);

/** Publishes by itself, on a timer that keeps no process alive, from the first thing that happens on. */
export class Publisher {
  readonly #options: PublisherOptions;
  /** A report of which it is not known whether it arrived. */
  #unsent: Composed | undefined;
  #publishing: Promise<unknown> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #number = 0;
  /** The number of the first event that is not left. */
  #eventsUpTo = 0;
  /** For each piece of events in the store: the number of the event after it. */
  #pieces: readonly number[] = [];
  /** How many events there were at the last tick. */
  #seenEvents = 0;
  /** The channels that were told last to be waited on. */
  #told: ReadonlySet<string> = new Set();
  /** When the next sign of life is due, by `performance.now`; undefined before the first report. */
  #dueAt: number | undefined;
  #isRefused = false;
  #closed = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    // Who shares nothing is asked by itself only.
    if (options.source.isShared) this.#watch();
  }

  /** Tells what there is to tell, so that who looks next sees it. Never rejects: what did not arrive is told later. */
  async publishNow(): Promise<void> {
    // Where nobody else is told, nobody tells of waits that have ended either.
    const isNeeded = this.#hasNews || (this.#hasPublished && !this.#options.source.isShared);
    if (!this.#closed && isNeeded) await this.#publish({ leave: false, isLast: false });
  }

  /** Leaves what is known, if that is possible within half a second. Safe to call twice. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.recorder.tellNextChange(() => {});
    if (!this.#options.source.isShared || !(this.#hasPublished || this.#hasNews)) return;
    const patience = new AbortController();
    const enough = pause(closeWithinMs, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#publish({ leave: true, isLast: true }), enough]);
    patience.abort();
  }

  get #hasNews(): boolean {
    const { recorder, receives } = this.#options;
    return (
      this.#unsent !== undefined ||
      recorder.hasCounts ||
      recorder.ring.count > this.#eventsUpTo ||
      receives().some((channel) => !this.#told.has(channel))
    );
  }

  get #hasPublished(): boolean {
    return this.#dueAt !== undefined;
  }

  /** Has the next thing that happens begin a busy time. */
  #watch(): void {
    this.#options.recorder.tellNextChange(() => this.#schedule(busyEveryMs));
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    // Never rejects.
    this.#timer = setTimeout(() => void this.#tick(), delayMs);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    // A wait that was told before began anew.
    if (this.#untilDue() > timerSlackMs && !this.#hasNews) return this.#rest();
    const { ring } = this.#options.recorder;
    const isQuiet = ring.count === this.#seenEvents;
    this.#seenEvents = ring.count;
    const leave = isQuiet || ring.count - this.#eventsUpTo <= fewEvents;
    const hasArrived = await this.#publish({ leave, isLast: false });
    if (!hasArrived) this.#schedule(this.#isRefused ? refusedEveryMs : busyEveryMs);
    else if (this.#hasNews) this.#schedule(busyEveryMs);
    else this.#rest();
  }

  #untilDue(): number {
    return (this.#dueAt ?? 0) - performance.now();
  }

  #rest(): void {
    this.#schedule(this.#untilDue());
    this.#watch();
  }

  /** One at a time. Resolves with whether all arrived; never rejects. */
  #publish(what: Kind): Promise<boolean> {
    const before = this.#publishing;
    const published = (async () => {
      await before;
      return this.#publishAll(what);
    })();
    this.#publishing = published;
    return published;
  }

  async #publishAll(what: Kind): Promise<boolean> {
    try {
      let { leave } = what;
      for (let isMore = true; isMore; ) {
        const isOld = this.#unsent !== undefined;
        this.#unsent ??= this.#compose({ ...what, leave });
        const { report, pieces } = this.#unsent;
        const isAsked = await this.#options.source.publish(report);
        this.#unsent = undefined;
        this.#pieces = pieces;
        this.#eventsUpTo = pieces.at(-1) ?? this.#eventsUpTo;
        this.#told = new Set(report.receives);
        this.#dueAt = performance.now() + untilBeat(Date.now(), 2 * beatMs);
        leave ||= isAsked;
        isMore = isOld || report.counts.length === channelsPerReport || (isAsked && report.holdsEvents);
      }
      this.#isRefused = false;
      return true;
    } catch (error) {
      // Whatever it is: who sends and receives is not to be bothered with it. It is told again.
      this.#isRefused = error instanceof LayerUnavailableError && refusals.has(error.reason);
      return false;
    }
  }

  #compose({ leave, isLast }: Kind): Composed {
    const { process, recorder, receives, source } = this.#options;
    const { ring } = recorder;
    const hasEvents = ring.count > this.#eventsUpTo;
    const counts = recorder.takeCounts(channelsPerReport);
    const received = counts.filter(([, { received }]) => received > 0).map(([channel]) => channel);
    const common = {
      process,
      number: ++this.#number,
      counts,
      receives: isLast ? [] : [...new Set([...receives(), ...received])].slice(0, channelsPerReport),
      isLast,
    };
    if (!leave || !hasEvents || !source.isShared)
      return {
        report: { ...common, keepPieces: this.#pieces.length, holdsEvents: hasEvents },
        pieces: this.#pieces,
      };
    // Together the pieces hold what the ring holds.
    const kept = this.#pieces.length < mostPieces ? this.#pieces.filter((end) => end > ring.oldest) : [];
    const events = ring.write(kept.length === 0 ? ring.oldest : this.#eventsUpTo);
    return {
      report: { ...common, events, keepPieces: kept.length, holdsEvents: false },
      pieces: [...kept, ring.count],
    };
  }
}

interface Kind {
  /** Leave the events in the store. */
  readonly leave: boolean;
  readonly isLast: boolean;
}

interface Composed {
  readonly report: Report;
  /** The pieces of events that the store has when the report has arrived. */
  readonly pieces: readonly number[];
}
