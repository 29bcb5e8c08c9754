// Keeps the check of a growing log current: reads each file once, then what is added.

import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readCheckpoint, type WrittenUpTo } from '../writer/checkpoint.js';
import { findLogParts, fingerprintOf, type LogPart } from './files.js';
import { LogCheck } from './verify.js';

/** A file that the check has read, at least in part. */
interface KnownFile {
  readonly id: string;
  readonly isCompressed: boolean;
  /** How much was read, on disk; undefined while it is being read. */
  readonly bytes: number | undefined;
}

/**
 * Its result is that of `verifyLog` on the same files. It begins again when files were removed or text is gone, since
 * what it knows of them counts no more.
 */
export class RunningCheck {
  readonly #path: string;
  readonly #timezone: string;
  #check: LogCheck;
  #known: KnownFile[] = [];
  /** What the log looked like when it was read last. */
  #seen = '';
  #readBytes = 0;
  #totalBytes = 0;
  /** The last check that has reached the end of the log. */
  #finished: LogCheck | undefined;

  constructor(path: string, timezone: string) {
    this.#path = path;
    this.#timezone = timezone;
    this.#check = new LogCheck(timezone);
  }

  /** The newest result: of a check that has reached the end of the log, if there is one. */
  get current(): LogCheck {
    return this.#finished ?? this.#check;
  }

  /** How much of the log was read, as a share from 0 to 1. */
  get share(): number {
    if (this.#finished === this.#check) return 1;
    return this.#totalBytes === 0 ? 0 : Math.min(0.999, this.#readBytes / this.#totalBytes);
  }

  /** Reads what is new. Leaves the event loop half of the time to others. */
  async update(signal: AbortSignal): Promise<void> {
    const seen = await this.#look();
    if (seen === this.#seen) return;
    // Before the files are listed, because later writes only add to them.
    const written = this.#writtenUpTo();
    while (!signal.aborted) {
      // Files are renamed while a long one is read.
      const parts = await findLogParts(this.#path, this.#timezone);
      if (!this.#continues(parts)) this.#beginAgain();
      const next = this.#nextOf(parts);
      this.#totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
      const isLast = next === undefined || next === parts.at(-1);
      const isNew = next !== parts[this.#known.length - 1];
      if (next !== undefined && !(await this.#read(next, isNew, written, signal))) continue;
      if (!isLast || signal.aborted) continue;
      if (written !== undefined) this.#check.checkNewest(parts, written, this.#path);
      this.#finished = this.#check;
      this.#seen = seen;
      return;
    }
  }

  /** Differs when something was written, renamed or removed. */
  async #look(): Promise<string> {
    const [file, directory] = await Promise.all(
      [this.#path, dirname(this.#path)].map((path) => stat(path).catch(() => undefined)),
    );
    return [file?.ino, file?.size, directory?.mtimeMs].join(' ');
  }

  #beginAgain(): void {
    this.#check = new LogCheck(this.#timezone);
    this.#known = [];
    this.#readBytes = 0;
  }

  /** Whether the files are those that were read, in which only the last has changed, and newer ones. */
  #continues(parts: readonly LogPart[]): boolean {
    const last = this.#known.length - 1;
    return (
      !this.#check.isFinal &&
      this.#known.every(({ id, bytes }, index) => {
        const part = parts[index];
        if (part === undefined || fingerprintOf(part.firstLine) !== id) return false;
        if (part.isCompressed) return true;
        return index === last ? part.bytes >= (bytes ?? this.#check.readBytes) : part.bytes === bytes;
      })
    );
  }

  /** The first file that is not read to its end. A new file has no first line for a moment. */
  #nextOf(parts: readonly LogPart[]): LogPart | undefined {
    const index = this.#known.length - 1;
    const last = parts[index];
    if (last !== undefined && !this.#isRead(last)) return last;
    const next = parts[index + 1];
    return next?.path === this.#path && next.firstLine === '' ? undefined : next;
  }

  #isRead({ bytes, isCompressed }: LogPart): boolean {
    const known = this.#known.at(-1);
    if (known?.bytes === undefined) return false;
    return isCompressed ? known.isCompressed : known.bytes === bytes;
  }

  /** @returns false when the file was renamed or removed after it was found */
  async #read(
    part: LogPart,
    isNew: boolean,
    written: WrittenUpTo | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const known = { id: fingerprintOf(part.firstLine), isCompressed: part.isCompressed };
    if (isNew) this.#check.begin(part);
    else this.#known.pop();
    this.#known.push({ ...known, bytes: undefined });
    const mayGrow = part.path === this.#path;
    const before = this.#readBytes;
    let resumedAt = performance.now();
    const pace = async (bytes: number): Promise<boolean> => {
      this.#readBytes += bytes;
      await setTimeout(performance.now() - resumedAt, undefined, { ref: false });
      resumedAt = performance.now();
      return !signal.aborted;
    };
    if (!(await this.#check.read(part, { mayGrow, written, pace }))) return false;
    if (signal.aborted) return true;
    // The size of a compressed file says little about its text.
    if (part.isCompressed) this.#readBytes = before + part.bytes;
    const bytes = part.isCompressed ? part.bytes : Math.max(part.bytes, this.#check.readBytes);
    this.#known[this.#known.length - 1] = { ...known, bytes };
    return true;
  }

  /** Undefined without a checkpoint, and for one that cannot be read. */
  #writtenUpTo(): WrittenUpTo | undefined {
    try {
      return readCheckpoint(this.#path);
    } catch {
      return undefined;
    }
  }
}
