// What is delivered of an incident, and the ways by which it is.

import { durationText } from '../../base/duration.js';
import { localTime } from '../../recurrence/time/local-time.js';

/** A message about an incident. */
export interface Notice {
  /** Of the message: the same in all attempts. */
  readonly id: string;
  readonly site: string;
  /** The number of the incident; 0 for a test. */
  readonly alarm: number;
  readonly state: 'raised' | 'cleared' | 'test';
  readonly kind: string;
  readonly subject: string;
  readonly text: string;
  readonly rule: number | null;
  /** ISO 8601, in UTC. */
  readonly raisedAt: string;
  readonly clearedAt: string | null;
}

/** One way by which notices go out. */
export interface Way {
  readonly name: 'mail' | 'webhook' | 'command';
  /** How many notices it takes at once. */
  readonly most: number;
  /**
   * Resolves when the other side has accepted them, with its answer.
   *
   * @param signal aborted when this process stops
   */
  send(notices: readonly Notice[], signal: AbortSignal): Promise<string>;
}

/** `shop: rule 3 (backup) has not succeeded …`, or `shop: well again after 2 h: …` */
export function headline({ site, state, text, raisedAt, clearedAt }: Notice): string {
  if (state !== 'cleared' || clearedAt === null) return `${site}: ${text}`;
  return `${site}: well again after ${durationText(Date.parse(clearedAt) - Date.parse(raisedAt))}: ${text}`;
}

/** A notice as lines for people. */
export function body(notice: Notice, timezone: string): string {
  const { alarm, kind, raisedAt, clearedAt } = notice;
  const at = (time: string) => localTime(new Date(time), timezone);
  const lines = [headline(notice), `alarm ${alarm}, ${kind}, since ${at(raisedAt)}`];
  if (clearedAt === null) lines.push(`linod alarms ack ${alarm}, or linod alarms silence ${alarm} 2h`);
  else lines.push(`over at ${at(clearedAt)}`);
  return lines.join('\n');
}
