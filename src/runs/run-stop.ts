// How a run is asked to end, and how its end is put into words.

import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { Clock } from '../base/clock.js';
import { LinodError } from '../base/errors.js';
import type { JobRule } from '../rules/rule.js';

/** When a worker stops, its runs may take this long to end, if there is so much time. */
export const settleMs = 5000;

/** What a run is that was asked to end; lost: its worker stops, or has lost it to others. */
export type EndedEarly = 'cancelled' | 'timeout' | 'lost';

/** Why a run is to end: the reason of its signal. */
export class RunAbortedError extends LinodError {
  readonly status: EndedEarly;
  /** How long the run may take to end; null for as long as its rule allows. */
  readonly graceMs: number | null;

  constructor(status: EndedEarly, why: string, graceMs: number | null = null) {
    super('LINOD_ERR_RUN_ABORTED', why);
    this.status = status;
    this.graceMs = graceMs;
  }
}

type Listener = (reason: RunAbortedError) => void;

/** Carries the wish that a run ends from those who have it to where it runs. */
export class RunStop {
  readonly #controller = new AbortController();
  #reason: RunAbortedError | null = null;
  #listeners: Listener[] = [];

  /** Why the run is to end; null while nobody wants it to. The first wish counts. */
  get reason(): RunAbortedError | null {
    return this.#reason;
  }

  /** Aborted with the reason. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Asks the run to end. To ask again can only shorten the time that it is given. */
  abort(reason: RunAbortedError): void {
    this.#reason ??= reason;
    this.#controller.abort(this.#reason);
    for (const listener of this.#listeners) listener(reason);
  }

  /** Calls the listener at each wish, also at one that came before. */
  onAbort(listener: Listener): void {
    this.#listeners.push(listener);
    if (this.#reason !== null) listener(this.#reason);
  }

  /** The run is over: nobody is called any more. */
  close(): void {
    this.#listeners = [];
  }
}

/**
 * Calls `giveUp` when a run that was asked to end has not ended within its grace.
 *
 * @returns the run has ended
 */
export function afterGrace(
  { stop, rule }: { readonly stop: RunStop; readonly rule: Pick<JobRule, 'policies'> },
  clock: Clock,
  giveUp: (graceMs: number) => void,
): () => void {
  let giveUpAt = Number.POSITIVE_INFINITY;
  let disarm: () => void = () => undefined;
  stop.onAbort((reason) => {
    const allowedMs = rule.policies.graceSeconds * 1000;
    const graceMs = Math.min(reason.graceMs ?? allowedMs, allowedMs);
    if (clock.now() + graceMs >= giveUpAt) return;
    giveUpAt = clock.now() + graceMs;
    disarm();
    disarm = clock.after(graceMs, () => giveUp(graceMs));
  });
  return () => {
    giveUpAt = Number.NEGATIVE_INFINITY;
    disarm();
  };
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

/** A job keeps at most so many characters of what was thrown. */
const maxText = 64 * 1024;

const [, home = ''] = /^(.*)\/(?:chunks|src)\//.exec(fileURLToPath(import.meta.url)) ?? [];

/** Drops the lines of a stack that are in linod's own code. */
function withoutOwnLines(stack: string): string {
  const kept: string[] = [];
  for (const line of stack.split('\n')) {
    const isOwn =
      /^ +at /.test(line) && ['src', 'chunks', 'channels'].some((room) => line.includes(`${home}/${room}/`));
    if (!isOwn) kept.push(line);
    // The fields of the error begin behind the last line of its stack.
    else if (line.endsWith(' {')) kept.push(`${kept.pop() ?? ''} {`);
  }
  return kept.join('\n');
}

/**
 * Whatever a procedure throws as text: an error with its stack in the site's files, its fields and its
 * causes; anything else behind `threw`.
 */
export function describeThrown(error: unknown): string {
  const text = withoutOwnLines(inspect(error, { depth: 4, breakLength: 110 }));
  const described = error instanceof Error ? text : `threw ${text}`;
  return described.length > maxText ? `${described.slice(0, maxText)}…` : described;
}

/** The same in one line, without the location. */
export function headline(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error, { depth: 0 });
  return text.split('\n', 1)[0] ?? '';
}
