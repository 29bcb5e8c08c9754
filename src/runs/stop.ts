// How a run is asked to end.

import { LinodError } from '../errors.js';

/** When a worker stops, its runs may take this long to end, if there is so much time. */
export const settleMs = 5000;

/** Why a run is to end: the reason of its signal. */
export class RunAbortedError extends LinodError {
  readonly status: 'cancelled' | 'timeout';
  /** How long the run may take to end; null for as long as its rule allows. */
  readonly graceMs: number | null;

  constructor(status: 'cancelled' | 'timeout', why: string, graceMs: number | null = null) {
    super('LINOD_ERR_RUN_ABORTED', why);
    this.status = status;
    this.graceMs = graceMs;
  }
}

/**
 * How a run that was asked to end came to its end, in a clause.
 *
 * @param headline what it threw; most throw the reason of their signal
 */
export function endedWith(headline: string, reason: RunAbortedError): string {
  const first = reason.message.split('\n', 1)[0] ?? '';
  return headline === `${reason.name}: ${first}`
    ? 'it ended as it was asked to'
    : `it ended with: ${headline}`;
}

type Listener = (reason: RunAbortedError) => void;

/**
 * Carries the wish that a run ends from those who have it to where it runs. Most runs are never asked, and most
 * procedures never look, so the signal is made when somebody asks for it.
 */
export class RunStop {
  #reason: RunAbortedError | null = null;
  #controller: AbortController | null = null;
  #listeners: Listener[] | null = null;

  /** Why the run is to end; null while nobody wants it to. The first wish counts. */
  get reason(): RunAbortedError | null {
    return this.#reason;
  }

  /** Aborted with the reason. */
  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Asks the run to end. To ask again can only shorten the time that it is given. */
  abort(reason: RunAbortedError): void {
    const isFirst = this.#reason === null;
    this.#reason ??= reason;
    if (isFirst) this.#controller?.abort(reason);
    for (const listener of this.#listeners ?? []) listener(reason);
  }

  /** Calls the listener at each wish, also at one that came before. */
  onAbort(listener: Listener): void {
    this.#listeners ??= [];
    this.#listeners.push(listener);
    if (this.#reason !== null) listener(this.#reason);
  }

  /** The run is over: nobody is called any more, and the listeners are not kept. */
  close(): void {
    this.#listeners = null;
  }
}
