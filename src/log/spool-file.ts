// A spool file: records of one sender that wait for the logger coroutine, as a person and the writer can read them.

import { open } from 'node:fs/promises';
import * as v from 'valibot';
import { LinodError } from '../errors.js';
import type { Owner } from '../owner.js';
import { leadingRun, type Run } from './batch.js';
import { maxRecordBytes } from './formats/line-format.js';

/** What the first line of a spool file says: whose records follow. */
export interface SpoolHeader {
  readonly sender: string;
  readonly epoch: string;
  readonly owner: Owner;
  /** What the sender knew to be in lino.log when it began the file. */
  readonly acked: number;
}

/** Records are handed on in pieces of about this size. */
export const batchBytes = 64 * 1024;
/** Holds a batch and the longest record, so that a whole record always fits. */
export const spoolReadBytes = batchBytes + maxRecordBytes;

const mark = '# linod log spool 1 ';
const maxHeaderBytes = 4096;

const schema = v.object({
  sender: v.string(),
  epoch: v.string(),
  owner: v.object({ host: v.string(), pid: v.number(), start: v.string() }),
  acked: v.number(),
});

/** A file in the spool directory that is no spool file. */
export class BadSpoolError extends LinodError {
  constructor(path: string, problem: string) {
    super('LINOD_ERR_BAD_SPOOL', `spool file ${path} cannot be read: ${problem}`);
  }
}

/** The first line, with its newline: `# linod log spool 1 {"sender":"web[812]",…}`. The records' lines follow. */
export function formatSpoolHeader(header: SpoolHeader): string {
  return `${mark}${JSON.stringify(header)}\n`;
}

/** @throws BadSpoolError, or the system's error when the file cannot be opened */
export async function readSpoolHeader(path: string): Promise<SpoolHeader & { sizeBytes: number }> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxHeaderBytes), 0, maxHeaderBytes, 0);
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    const line = buffer.toString('utf8', 0, Math.max(0, end));
    if (!line.startsWith(mark)) throw new BadSpoolError(path, 'its first line is not that of a spool file');
    const parsed = v.safeParse(schema, JSON.parse(line.slice(mark.length)));
    if (!parsed.success) throw new BadSpoolError(path, parsed.issues[0].message);
    return { ...parsed.output, sizeBytes: end + 1 };
  } catch (error) {
    throw error instanceof SyntaxError ? new BadSpoolError(path, error.message) : error;
  } finally {
    await file.close();
  }
}

/**
 * The records of a spool file in batches. A record that its sender did not finish writing is left out.
 *
 * @param start where the records begin: the header's size
 * @throws BadSpoolError when something else stands among the records
 */
export async function* readSpoolRuns(path: string, sender: string, start: number): AsyncGenerator<Run> {
  const file = await open(path, 'r');
  try {
    for (let at = start; ; ) {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(spoolReadBytes), 0, spoolReadBytes, at);
      if (bytesRead === 0) return;
      const rest = buffer.subarray(0, bytesRead);
      const run = leadingRun(rest, sender, batchBytes);
      if (run === undefined) {
        if (bytesRead < spoolReadBytes && isUnfinished(rest)) return;
        throw new BadSpoolError(path, `at byte ${at} there is no record of ${sender}`);
      }
      yield run;
      at += run.bytes.length;
    }
  } finally {
    await file.close();
  }
}

/** Whether no record ends here: each line, if it is whole, is continued by the next. */
function isUnfinished(rest: Buffer): boolean {
  return !/[^ ]\n/.test(rest.toString('latin1'));
}
