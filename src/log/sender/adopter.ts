// Sends the spool files that ended processes have left.

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
  /** The spool directories of the site on this machine. A missing one counts as empty. */
  readonly directories: readonly string[];
  readonly clock: Clock;
  /** How the records get to the logger coroutine, wherever that runs. */
  readonly transport: LogTransport;
  /** Time between two scans, in ms; default: one per beat. */
  readonly everyMs?: number | undefined;
  /** Whether a scan makes sense now, since a logger coroutine listens. */
  readonly isWanted?: (() => boolean) | undefined;
  /** Called for each sender whose records were new to the log, with their number. */
  readonly onAdopted?: ((adopted: { sender: string; records: number }) => void) | undefined;
  /** Called once for each file that cannot be read. The file stays. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/** Messages of an ended sender may still be in the channel. They come first. */
const firstScanMs = 1000;
/** Without an acknowledgement for this long, files wait for the next scan. */
const answerMs = 10_000;
/**
 * A process on another machine or in a container cannot be checked. Its files are sent when they have not
 * grown for this long: a living sender that gets answers has removed them by then.
 */
const quietMs = 5000;

/**
 * Scans for spool files of dead processes, and sends them as their sender would have. A lock beside the
 * directory keeps other adopters from the same work. The writer cuts off records that are in the log already.
 *
 * If the process of an adopted file is alive after all, nothing is lost: the writer cuts off the repeated
 * records, and the sender starts another file when it finds its own removed.
 */
export class SpoolAdopter {
  readonly #options: SpoolAdopterOptions;
  readonly #reported = new Set<string>();
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

  /** Stops sending. The next adopter finds the files. Safe to call twice. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake();
    this.#cancel?.();
    await this.#scanning;
  }

  /** Scans once. Never rejects. */
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
          await this.#sendIfDead(directory, paths);
        } catch (error) {
          this.#report(join(directory, sender), error);
        }
      }
    }
  }

  /** @param paths all files of one sender, the oldest first */
  async #sendIfDead(directory: string, paths: readonly string[]): Promise<void> {
    const header = this.#headerOf(paths);
    const state = header && ownerState(header.owner);
    if (header === undefined || state === 'alive') return;
    // Imported late: most processes never need the lock.
    const { FileLock } = await import('../../base/files/file-lock.js');
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
        this.#reportBad(path, error);
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
        const file = await SpoolFile.open(path, mayGrow).catch((error) => this.#reportBad(path, error));
        if (file !== undefined) spool.adopt(file);
      }
      const { base = spool.last + 1 } = spool;
      let [acked, firstAcked] = [-1, 0];
      const onChange = () => {
        if (forwarder.acknowledged <= acked) return;
        firstAcked ||= forwarder.acknowledged;
        this.#wake();
      };
      const forwarder = new Forwarder({ sender, epoch, owner, spool, clock, onChange, probesFirst: true });
      forwarder.connect(transport);
      forwarder.wake(true);
      while (!spool.isEmpty && !this.#isStopped && forwarder.acknowledged > acked) {
        acked = forwarder.acknowledged;
        await this.#nextWake();
      }
      forwarder.close();
      // The first acknowledgement covers the first record alone, or what the log had already.
      const records = spool.last - (firstAcked > base ? firstAcked : base - 1);
      if (spool.isEmpty && records > 0) this.#options.onAdopted?.({ sender, records });
    } finally {
      spool.close();
    }
  }

  /** Resolves when more is acknowledged, after `answerMs` without, and when the adopter stops. */
  #nextWake(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(answerMs, () => this.#wake());
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  /** Skips an unreadable file; the sender's other files are sent all the same. */
  #reportBad(path: string, error: unknown): undefined {
    if (!(error instanceof BadSpoolError)) throw error;
    this.#report(path, error);
  }

  #report(what: string, error: unknown): void {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isGone || this.#reported.has(what)) return;
    this.#reported.add(what);
    this.#options.onTrouble?.(error);
  }
}

async function isQuiet(paths: readonly string[]): Promise<boolean> {
  const infos = await Promise.all(paths.map((path) => lstat(path)));
  return Date.now() - Math.max(...infos.map(({ mtimeMs }) => mtimeMs)) >= quietMs;
}

/** `web-812.epoch.3.spool` */
const fileName = /^(.+)\.(\d+)\.spool$/;

/** The epochs of the senders that have spool files in these directories. */
export async function spooledEpochs(directories: readonly string[]): Promise<Set<string>> {
  const found = await Promise.all(directories.map(spoolFiles));
  return new Set(
    found.flatMap((files) => [...files.keys()].map((key) => key.slice(key.lastIndexOf('.') + 1))),
  );
}

/** The spool files of a directory by sender, the oldest first. */
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
