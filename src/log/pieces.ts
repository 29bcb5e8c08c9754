// What is to be written for one sender, cut where its time changes, so that senders can be put in order.

import { completeEnd } from './batch.js';
import { Pattern, viewOf } from './bytes.js';
import { HeadScan } from './formats/head-scan.js';
import type { Entry, Source } from './inbox.js';
import type { RecordTimes } from './record-times.js';

/** Some whole records of one sender with consecutive numbers and one time, or a remark about numbers. */
export interface Piece {
  readonly kind: Entry['kind'];
  readonly from: number;
  readonly to: number;
  /** The records are its bytes from `start` up to `end`. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** Its place among the pieces of other senders, in ms. */
  readonly time: number;
}

/** How much memory a batch takes while it waits: what lies in a spool file takes none. */
export function bytesHeld(source: Source): number {
  return 'bytes' in source ? source.bytes.length : 0;
}

/** How records are cut into pieces. */
export interface Cut {
  readonly kind: Entry['kind'];
  /** Undefined when the order of arrival is what counts: then all is one piece. */
  readonly times: RecordTimes | undefined;
  /** When they came, in ms: a clock that is ahead must not keep anybody waiting. */
  readonly arrivedAt: number;
}

/** Behind so many records with one time there are probably hundreds. */
const manyAlike = 16;
/** How far is looked ahead for such ones at first, in bytes. */
const firstLeap = 2048;

/** Bytes that are not the records that they should be. */
export class NotTheseRecordsError extends Error {}

/**
 * The records `from` … at the begin of some bytes, as far as they are whole and no more than `to`.
 *
 * Of the text between the heads nothing is looked at: what comes from elsewhere than a spool was looked at before. Of many
 * records with one time, most heads are not looked at either, only that the numbers go on behind them. If the clock was set
 * back among these, they stay together.
 *
 * @param sender the sender's label
 * @throws NotTheseRecordsError when something else stands there
 */
export function cutPieces(
  bytes: Buffer,
  sender: string,
  from: number,
  to: number,
  { kind, times, arrivedAt }: Cut,
): Piece[] {
  const pieces: Piece[] = [];
  const head = new HeadScan();
  head.enter(bytes);
  let [start, first, time, mark] = [0, from, Number.NaN, -1];
  let at = 0;
  let number = from;
  const finish = () => {
    if (number > first) pieces.push({ kind, from: first, to: number - 1, bytes, start, end: at, time });
  };
  for (; number <= to && at < bytes.length; number++) {
    const isThere = head.read(at) && head.number === number && head.sender === sender;
    const end = completeEnd(bytes, isThere ? head.end : at);
    if (end < 0) break;
    if (!isThere) throw new NotTheseRecordsError(`no head of ${sender}#${number} where it should be`);
    const ownMark = times === undefined ? 0 : timeMark(bytes, head);
    if (ownMark !== mark) {
      finish();
      [start, first, mark] = [at, number, ownMark];
      const told = times?.of(bytes, head) ?? arrivedAt;
      time = told < arrivedAt ? told : arrivedAt;
    } else if (times !== undefined && number - first === manyAlike) {
      const last = lastAlike(bytes, head, at, to);
      if (last.number > number) {
        [at, number] = [last.at, last.number - 1];
        continue;
      }
    }
    at = end;
  }
  finish();
  return pieces;
}

/**
 * The time as it is written, in ms, with the last digit of the day. Differs between two records next to each other if their
 * times do, but for ten days between them to the millisecond, or an hour when the clocks are set back.
 */
function timeMark(bytes: Buffer, head: HeadScan): number {
  const day = head.timeAt + (head.format.time === 'lino' ? 8 : 9);
  const hours = digit(bytes, day) * 24 + digit(bytes, day + 2) * 10 + digit(bytes, day + 3);
  const minutes = hours * 60 + digit(bytes, day + 5) * 10 + digit(bytes, day + 6);
  const seconds = minutes * 60 + digit(bytes, day + 8) * 10 + digit(bytes, day + 9);
  if (head.format.time === 'lino') return seconds;
  return seconds * 1000 + digit(bytes, day + 11) * 100 + digit(bytes, day + 12) * 10 + digit(bytes, day + 13);
}

function digit(bytes: Buffer, at: number): number {
  return (bytes[at] ?? 0) & 0xf;
}

/**
 * Where a later record with the time and sender of the one that was read last is, as far as leaps that double, and then
 * halve, find one; else that one. Its number is no more than `to`.
 */
function lastAlike(bytes: Buffer, head: HeadScan, start: number, to: number): { at: number; number: number } {
  const { sender, timeAt } = head;
  const time = new Pattern(bytes.subarray(timeAt, timeAt + head.format.layout.timeLength));
  const view = viewOf(bytes);
  let found = { at: start, number: head.number };
  let isGrowing = true;
  for (let leap = firstLeap; leap >= firstLeap; leap = isGrowing ? leap * 2 : leap / 2) {
    const at = found.at + leap < bytes.length ? completeEnd(bytes, found.at + leap) : -1;
    const isAlike =
      at > 0 && head.read(at) && head.sender === sender && time.isAt(view, head.timeAt, bytes.length);
    if (isAlike && head.number > found.number && head.number <= to) found = { at, number: head.number };
    else isGrowing = false;
  }
  return found;
}
