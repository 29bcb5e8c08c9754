// Brings the records of ended processes into the log: their spool files have no sender any more.

import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { untilBeat } from '../../../channels/waiting/beat.js';
import type { Clock } from '../../base/clock.js';
import { ownerState } from '../../base/process-owner.js';
import { Forwarder } from './forwarder.js';
import { Spool } from './spool.js';
import { BadSpoolError, readSpoolHeader, SpoolFile, type SpoolHeader } from './spool-file.js';
import type { LogTransport } from './transport.js';

export interface SpoolAdopterOptions {
  /** The spool directories of the site on this machine. One that does not exist is an empty one. */
  readonly directories: readonly string[];
  readonly clock: Clock;
  /** How the records get to the logger coroutine, wherever that runs. */
  readonly transport: LogTransport;
  /** How often it scans, in ms; default: at each beat. */
  readonly everyMs?: number | undefined;
  /** Whether it is worth looking now: somebody listens. */
  readonly isWanted?: (() => boolean) | undefined;
  /** Told of each sender of which records were brought in that the log did not have, and how many. */
  readonly onAdopted?: ((adopted: { sender: string; records: number }) => void) | undefined;
  /** Told once of each file that cannot be read; it is left where it is. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/** Messages of an ended sender may still lie in the channel: they come first. */
const firstScanMs = 1000;
/** Files are given up until the next scan when nothing of them was acknowledged for so long. */
const answerMs = 10_000;
/**
 * Files of a process that cannot be seen from here are sent when nothing was added for so long. A living sender that is heard
 * has removed its own by then.
 */
const quietMs = 5000;

/**
 * Looks for spool files now and then, and sends those of a dead process as their sender would have sent them. A lock beside the
 * directory keeps other adopters from the same work. Records that are in the log already are cut by the writer.
 *
 * Processes of other machines and containers cannot be seen. One that lives after all loses nothing: its records are cut,
 * and it begins another file when it finds its own removed.
 */
export class SpoolAdopter {
  readonly #options: SpoolAdopterOptions;
  readonly #told = new Set<string>();
  #isStopped = false;
  #wake: () => void = () => {};
  #scanning: Promise<void> | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: SpoolAdopterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#scanAfter(this.#options.everyMs ?? firstScanMs);
  }

  /** Gives up the files in hand; the next adopter finds them. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    this.#cancel?.();
    await this.#scanning;
  }

  /** Looks once. Never rejects. */
  scan(): Promise<void> {
    this.#scanning ??= this.#scan().finally(() => {
      this.#scanning = undefined;
    });
    return this.#scanning;
  }

  #scanAfter(ms: number): void {
    const { clock, everyMs, isWanted } = this.#options;
    this.#cancel = clock.after(ms, async () => {
      if (isWanted?.() !== false) await this.scan();
      if (!this.#isStopped) this.#scanAfter(everyMs ?? untilBeat(clock.now()));
    });
  }

  async #scan(): Promise<void> {
    for (const directory of this.#options.directories) {
      for (const [sender, paths] of await spoolFiles(directory)) {
        if (this.#isStopped) return;
        try {
          await this.#look(directory, paths);
        } catch (error) {
          this.#note(join(directory, sender), error);
        }
      }
    }
  }

  /** @param paths all files of one sender, in the order in which they were made */
  async #look(directory: string, paths: readonly string[]): Promise<void> {
    const header = this.#headerOf(paths);
    const state = header && ownerState(header.owner);
    if (header === undefined || state === 'alive') return;
    // Only where there is something to adopt: most processes never need the lock.
    const { FileLock } = await import('../../base/file-lock.js');
    const lock = new FileLock(`${directory}.lock`, header.sender);
    if (!lock.take()) return;
    try {
      if (state === 'dead' || (await isQuiet(paths))) await this.#send(paths, header, state === 'elsewhere');
    } finally {
      lock.release();
    }
  }

  #headerOf(paths: readonly string[]): SpoolHeader | undefined {
    for (const path of paths) {
      try {
        return readSpoolHeader(path);
      } catch (error) {
        this.#noteBad(path, error);
      }
    }
    return undefined;
  }

  async #send(paths: readonly string[], header: SpoolHeader, mayGrow: boolean): Promise<void> {
    const { clock, transport } = this.#options;
    const { sender, epoch, owner } = header;
    const spool = new Spool({ directory: '', header, clock });
    try {
      for (const path of paths) {
        const file = await SpoolFile.open(path, mayGrow).catch((error) => this.#noteBad(path, error));
        if (file !== undefined) spool.adopt(file);
      }
      const { base = spool.last + 1 } = spool;
      let [acked, known] = [-1, 0];
      const onChange = () => {
        if (forwarder.acknowledged <= acked) return;
        known ||= forwarder.acknowledged;
        this.#wake();
      };
      const forwarder = new Forwarder({ sender, epoch, owner, spool, clock, onChange, asksFirst: true });
      forwarder.connect(transport);
      forwarder.wake(true);
      while (!spool.isEmpty && !this.#isStopped && forwarder.acknowledged > acked) {
        acked = forwarder.acknowledged;
        await this.#woken();
      }
      forwarder.close();
      // What was acknowledged first is the first record alone, or what the log had before.
      const records = spool.last - (known > base ? known : base - 1);
      if (spool.isEmpty && records > 0) this.#options.onAdopted?.({ sender, records });
    } finally {
      spool.close();
    }
  }

  /** Resolves when more is acknowledged or nothing was for too long, and when the adopter stops. */
  #woken(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(answerMs, () => this.#wake());
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  /** What cannot be read is left where it is; what its sender wrote besides is brought in all the same. */
  #noteBad(path: string, error: unknown): undefined {
    if (!(error instanceof BadSpoolError)) throw error;
    this.#note(path, error);
  }

  #note(what: string, error: unknown): void {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isGone || this.#told.has(what)) return;
    this.#told.add(what);
    this.#options.onTrouble?.(error);
  }
}

async function isQuiet(paths: readonly string[]): Promise<boolean> {
  const infos = await Promise.all(paths.map((path) => lstat(path)));
  return Date.now() - Math.max(...infos.map(({ mtimeMs }) => mtimeMs)) >= quietMs;
}

/** `web-812.epoch.3.spool` */
const fileName = /^(.+)\.(\d+)\.spool$/;

/** The epochs of the senders whose records lie in files of these directories, and will be adopted. */
export async function spooledEpochs(directories: readonly string[]): Promise<Set<string>> {
  const found = await Promise.all(directories.map(spoolFiles));
  return new Set(
    found.flatMap((files) => [...files.keys()].map((key) => key.slice(key.lastIndexOf('.') + 1))),
  );
}

/** The spool files of a directory by their senders, those of each in the order in which they were made. */
async function spoolFiles(directory: string): Promise<Map<string, string[]>> {
  const names = await readdir(directory).catch(() => []);
  names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const bySender = new Map<string, string[]>();
  for (const name of names) {
    const [, sender] = fileName.exec(name) ?? [];
    if (sender !== undefined) bySender.set(sender, [...(bySender.get(sender) ?? []), join(directory, name)]);
  }
  return bySender;
}
