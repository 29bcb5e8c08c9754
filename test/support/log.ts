// What the tests of the log share: a way between sender and writer that loses things, and a look at the file.

import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../src/base/clock.js';
import { ownProcess } from '../../src/base/process-owner.js';
import { BadBatchError, readBatch } from '../../src/log/batch.js';
import { parseRecord } from '../../src/log/format/formats.js';
import type { LineFormat, RecordText } from '../../src/log/format/line-format.js';
import { textFormat } from '../../src/log/format/lines.js';
import type { LogAnswer, LogRecords } from '../../src/log/messages.js';
import type { LogTransport, OutgoingRecords, Reply } from '../../src/log/sender/transport.js';
import { checkpointPath } from '../../src/log/writer/checkpoint.js';
import type { Random } from './random.js';

/** What is saved beside the log at a path; undefined when nothing is. */
export function savedCheckpoint(path: string): string | undefined {
  return existsSync(checkpointPath(path)) ? readFileSync(checkpointPath(path), 'utf8') : undefined;
}

/** Puts a checkpoint of before, or none, in the place of the last one. */
export function restoreCheckpoint(path: string, saved?: string): void {
  if (saved === undefined) rmSync(checkpointPath(path), { force: true });
  else writeFileSync(checkpointPath(path), saved);
}

type Receiver = (batch: LogRecords, reply: Reply) => void;

/** What goes wrong on the way, as probabilities. */
export interface Faults {
  readonly lose: number;
  readonly double: number;
  readonly refuse: number;
  /** The longest delay, in ms; messages with different delays overtake one another. */
  readonly delayMs: number;
}

export const noFaults: Faults = { lose: 0, double: 0, refuse: 0, delayMs: 0 };

/** Carries messages to whoever is the receiver at the time, badly. */
export class BadTransport implements LogTransport {
  faults: Faults;
  receiver: Receiver | undefined;
  /** What was handed over for delivery. */
  readonly delivered: OutgoingRecords[] = [];
  isClosed = false;
  rests = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #listeners = new Set<Reply>();

  constructor(clock: Clock, random: Random, faults: Faults = noFaults) {
    this.#clock = clock;
    this.#random = random;
    this.faults = faults;
  }

  listen(onAnswer: Reply): () => void {
    this.#listeners.add(onAnswer);
    return () => this.#listeners.delete(onAnswer);
  }

  /** An answer from the writer's side, without faults. */
  answer(answer: LogAnswer): void {
    for (const listener of this.#listeners) listener(answer);
  }

  async deliver(message: OutgoingRecords): Promise<void> {
    if (this.#random.chance(this.faults.refuse)) throw new RangeError('refused');
    this.delivered.push(message);
    this.#carry(() => {
      this.receiver?.({ ...message, reply_channel: 'r' }, (answer) => this.#carry(() => this.answer(answer)));
    });
  }

  async suspend(): Promise<void> {
    this.rests++;
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  #carry(arrive: () => void): void {
    const { lose, double, delayMs } = this.faults;
    for (let copies = this.#random.chance(double) ? 2 : 1; copies > 0; copies--) {
      if (this.#random.chance(lose)) continue;
      if (delayMs === 0) arrive();
      else this.#clock.after(this.#random.whole(0, delayMs), arrive);
    }
  }
}

/** A record as it stands in the log. */
export interface LoggedRecord {
  readonly sender: string | undefined;
  readonly number: number;
  /** Everything behind the logger's name, lines joined by `\n`. */
  readonly text: string;
}

/** Takes the text of a log apart; throws when a line is neither a head nor the continuation of one. */
export function readRecords(text: string): LoggedRecord[] {
  if (text !== '' && !text.endsWith('\n')) throw new RangeError('the last line is not whole');
  const records = text === '' ? [] : text.slice(0, -1).split(/(?<! )\n/);
  return records.map((lines) => {
    const record = parseRecord(lines);
    if (record === undefined || /\n(?! {4})/.test(lines))
      throw new RangeError(`no record of a log: ${lines}`);
    return { sender: record.sender, number: record.number, text: record.message };
  });
}

/** The records of a log that was rotated to `lino.log.1`, `lino.log.2` … in this order, and of `lino.log`. */
export async function readLog(path: string): Promise<LoggedRecord[]> {
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(`${basename(path)}.`));
  names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const texts = await Promise.all(
    [...names, basename(path)].map((name) => readText(join(dirname(path), name))),
  );
  return texts.flatMap(readRecords);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

const times = {
  text: '2026-11-24 20:00:01.123+02:00',
  iso: '2026-11-24T20:00:01.123+02:00',
  lino: '202611-24 20:00:01',
};

/** An INFO record of the logger `shop`, of a November evening in Tallinn. */
export function recordOf(
  sender: string,
  number: number,
  text: RecordText,
  format: LineFormat = textFormat,
): string {
  return format.record(format.head(times[format.time], 'INFO', sender, number, 'shop'), text);
}

/** Batches of a sender that exists only in a test. */
export function batchOf(
  options: Partial<Omit<LogRecords, 'bytes'>> & { numbers: readonly number[]; message?: string },
  format?: LineFormat,
): LogRecords {
  const { numbers, message = 'text', ...rest } = options;
  const sender = rest.sender ?? 'web[812]';
  const [first = 1] = numbers;
  const lines = numbers.map((number) =>
    recordOf(sender, number, { message: `${message} ${number}` }, format),
  );
  return {
    type: 'log.records',
    sender,
    epoch: 'e1',
    owner: ownProcess(),
    first,
    count: numbers.length,
    acked: 0,
    base: 1,
    reply_channel: 'r',
    ...rest,
    bytes: Buffer.from(lines.join('')),
  };
}

/** What is wrong with the bytes of a batch; undefined when nothing is. */
export function batchProblem(
  bytes: Buffer,
  sender: string,
  first: number,
  count: number,
): string | undefined {
  try {
    readBatch(bytes, sender, { first, count }, () => {});
  } catch (error) {
    if (error instanceof BadBatchError) return error.message;
    throw error;
  }
  return undefined;
}

/** From `first` to `last`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
