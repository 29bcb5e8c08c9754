// Whether a log is complete: what `linod log verify` tells.

import { Ledger } from './ledger.js';
import { LogFile } from './log-file.js';

/** Numbers `from` … `to` of one sender. */
export interface NumberRange {
  readonly sender: string;
  readonly epoch: string;
  readonly from: number;
  readonly to: number;
}

/** What is to be said about a log. It is sound when `missing`, `repeated` and `torn` are empty. */
export interface LogReport {
  /** Whole records, without the writer's own notes. */
  readonly records: number;
  readonly senders: number;
  /** What the writer has told to be lost. */
  readonly lost: readonly NumberRange[];
  /** What is not there, and no note says why. */
  readonly missing: readonly NumberRange[];
  /** What is there more than once. */
  readonly repeated: readonly NumberRange[];
  /** Records without their end: followed by something else, or at the end of a file. */
  readonly torn: ReadonlyArray<{ readonly sender: string; readonly number: number }>;
}

/**
 * Reads log files, the oldest first, and checks that each sender's numbers come one after the other.
 *
 * A file that is missing at the beginning (it was removed) is no fault: each file says where its senders go on.
 * While a writer works, the last file may end in a record that is being written.
 */
export async function verifyLog(paths: readonly string[]): Promise<LogReport> {
  const report = {
    records: 0,
    lost: [] as NumberRange[],
    missing: [] as NumberRange[],
    repeated: [] as NumberRange[],
    torn: [] as Array<{ sender: string; number: number }>,
  };
  /** The last number of each sender, by label and epoch. */
  const last = new Map<string, number>();
  const goOn = (sender: string, epoch: string, first: number, to: number) => {
    const key = `${sender} ${epoch}`;
    const known = last.get(key) ?? 0;
    if (first > known + 1) report.missing.push({ sender, epoch, from: known + 1, to: first - 1 });
    if (first <= known) report.repeated.push({ sender, epoch, from: first, to: Math.min(known, to) });
    last.set(key, Math.max(known, to));
  };
  for (const path of paths) {
    const ledger = new Ledger(
      {
        records: (sender, epoch, first, to) => {
          report.records += to - first + 1;
          goOn(sender, epoch, first, to);
        },
        lost: (sender, epoch, from, to) => {
          report.lost.push({ sender, epoch, from, to });
          goOn(sender, epoch, from, to);
        },
        turn: (sender, epoch, number) => {
          const key = `${sender} ${epoch}`;
          last.set(key, Math.max(last.get(key) ?? 0, number));
        },
        torn: (sender, number) => report.torn.push({ sender, number }),
      },
      new Map(),
    );
    await read(path, ledger);
  }
  return { ...report, senders: last.size };
}

async function read(path: string, ledger: Ledger): Promise<void> {
  const file = await LogFile.openReadOnly(path);
  try {
    for await (const chunk of file.read(0)) ledger.feed(chunk);
    ledger.finish();
  } finally {
    await file.close();
  }
}
