// What is counted of one channel.

import { messageKey } from '../layer.js';

export interface Counts {
  readonly sent: number;
  readonly received: number;
  readonly refused: number;
  readonly dropped: number;
  readonly redelivered: number;
}

export const countNames = ['sent', 'received', 'refused', 'dropped', 'redelivered'] as const;

/** Counts since they were last taken. */
export class Tally {
  readonly name: string;
  sent = 0;
  received = 0;
  refused = 0;
  dropped = 0;
  redelivered = 0;
  /** Whether something was counted since. */
  isTouched = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Returns the counts and begins anew. */
  take(): Counts {
    const { sent, received, refused, dropped, redelivered } = this;
    this.sent = this.received = this.refused = this.dropped = this.redelivered = 0;
    this.isTouched = false;
    return { sent, received, refused, dropped, redelivered };
  }
}

export const noCounts: Counts = { sent: 0, received: 0, refused: 0, dropped: 0, redelivered: 0 };

export function addCounts(one: Counts, other: Counts): Counts {
  return {
    sent: one.sent + other.sent,
    received: one.received + other.received,
    refused: one.refused + other.refused,
    dropped: one.dropped + other.dropped,
    redelivered: one.redelivered + other.redelivered,
  };
}

const random = /[\da-f]{32}$/;

/**
 * The name under which a channel is counted: its own, or for a process-specific one that of its kind,
 * `specific.*!` or on PubSub `asgispecific.*`, since each process has others.
 */
export function countedName(channel: string): string {
  const key = messageKey(channel);
  return key.endsWith('!') ? key.replace(/[^.]*!$/, '*!') : key.replace(random, '*');
}
