// Brings the records of ended processes into the log: their spool files have no sender any more.

import { readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { untilBeat } from '../../../channels/beat.js';
import type { Clock } from '../../clock.js';
import { ownerState, ownProcess } from '../../owner.js';
import { Forwarder } from './forwarder.js';
import { Spool } from './spool.js';
import { BadSpoolError, readSpoolHeader, readSpoolIndex, SpoolFile, type SpoolHeader } from './spool-file.js';
import type { LogTransport } from './transport.js';

export interface SpoolAdopterOptions {
  /** The spool directories of the site on this machine. One that does not exist is an empty one. */
  readonly directories: readonly string[];
  readonly clock: Clock;
  /** How the records get to the logger coroutine, wherever that runs. */
  readonly transport: LogTransport;
  /** How often is looked, in ms; default: at each beat. */
  readonly everyMs?: number | undefined;
  /** Whether it is worth looking now: somebody listens. */
  readonly isWanted?: (() => boolean) | undefined;
  /** Told of each sender whose records were brought in. */
  readonly onAdopted?: ((adopted: { sender: string; records: number }) => void) | undefined;
  /** Told once of each file that cannot be read; it is left where it is. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

/** Messages of an ended sender may still lie in the channel: they come first. */
const firstScanMs = 1000;
/** Files are given up until the next scan when nothing of them was acknowledged for so long. */
const answerMs = 10_000;
/** Files of a process that cannot be seen from here are read when nothing was added for so long … */
const quietMs = 60_000;
/** … and removed after so long. */
const abandonedMs = 86_400_000;

/** `web-812.epoch.3.spool`, and behind it who has claimed it. */
const fileName = /^(.+)\.(\d+)\.spool(?:\.claimed-(\d+)-(\w*))?$/;

interface FoundFile {
  readonly path: string;
  /** The name that its sender gave it. */
  readonly original: string;
  readonly claimedBy: { readonly pid: number; readonly start: string } | undefined;
}

/**
 * Looks for spool files now and then. Those of a dead process are claimed by renaming them, and sent as their sender would have
 * sent them. Records that are in the log already are cut by the writer, so a file may be adopted twice without harm.
 *
 * Processes of other machines and containers cannot be seen. Their files are only read, and stay for a day.
 */
export class SpoolAdopter {
  readonly #options: SpoolAdopterOptions;
  readonly #told = new Set<string>();
  /** Sizes of files that were read but may not be removed. */
  readonly #read = new Map<string, number>();
  #isStopped = false;
  #wake: () => void = () => {};
  #scanning: Promise<void> | undefined;
  #cancel: (() => void) | undefined;

  constructor(options: SpoolAdopterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#cancel = this.#options.clock.after(
      this.#options.everyMs ?? firstScanMs,
      () => void this.#scanAgain(),
    );
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

  async #scanAgain(): Promise<void> {
    if (this.#options.isWanted?.() !== false) await this.scan();
    if (this.#isStopped) return;
    const { clock, everyMs } = this.#options;
    this.#cancel = clock.after(everyMs ?? untilBeat(clock.now()), () => void this.#scanAgain());
  }

  async #scan(): Promise<void> {
    for (const directory of this.#options.directories) {
      for (const [sender, files] of await spoolFiles(directory)) {
        if (this.#isStopped) return;
        try {
          await this.#look(files);
        } catch (error) {
          this.#note(join(directory, sender), error);
        }
      }
    }
  }

  /** @param files all of one sender, in the order in which they were made */
  async #look(files: readonly FoundFile[]): Promise<void> {
    const header = await this.#headerOf(files);
    if (header === undefined) return;
    const state = ownerState(header.owner);
    if (state === 'dead' && !files.some((file) => isClaimed(file, header))) await this.#adopt(files, header);
    if (state === 'elsewhere') await this.#readElsewhere(files, header);
  }

  async #headerOf(files: readonly FoundFile[]): Promise<SpoolHeader | undefined> {
    for (const { path } of files) {
      const header = await readSpoolHeader(path).catch((error) => this.#noteBad(path, error));
      if (header !== undefined) return header;
    }
    return undefined;
  }

  async #adopt(files: readonly FoundFile[], header: SpoolHeader): Promise<void> {
    const { pid, start } = ownProcess();
    const claimed: FoundFile[] = [];
    try {
      for (const file of files) {
        const path = `${file.original}.claimed-${pid}-${start}`;
        // Of two adopters one gets it; the other's attempt fails with ENOENT.
        await rename(file.path, path);
        claimed.push({ ...file, path });
      }
      await this.#send(claimed, header, true);
    } finally {
      // Others may have more luck with what is left.
      for (const { path, original } of claimed) await rename(path, original).catch(() => undefined);
    }
  }

  async #readElsewhere(files: readonly FoundFile[], header: SpoolHeader): Promise<void> {
    const infos = await Promise.all(files.map(({ path }) => stat(path)));
    const quiet = Date.now() - Math.max(...infos.map(({ mtimeMs }) => mtimeMs));
    if (quiet < quietMs) return;
    const size = infos.reduce((sum, info) => sum + info.size, 0);
    const isAbandoned = quiet > abandonedMs;
    if (this.#read.get(header.epoch) === size && !isAbandoned) return;
    if (await this.#send(files, header, isAbandoned)) this.#read.set(header.epoch, size);
  }

  /** @returns whether all of it is in the log */
  async #send(files: readonly FoundFile[], header: SpoolHeader, isOurs: boolean): Promise<boolean> {
    const { clock, transport } = this.#options;
    const { sender, epoch, owner } = header;
    const spool = new Spool({ directory: '', header, clock });
    try {
      for (const { path } of files) {
        const index = await readSpoolIndex(path).catch((error) => this.#noteBad(path, error));
        if (index === undefined) continue;
        spool.adopt(SpoolFile.openExisting(path, index.sizeBytes, isOurs), index.batches, index.header.acked);
      }
      const first = spool.base ?? 1;
      const records = spool.isEmpty ? 0 : spool.last - first + 1;
      const onChange = () => this.#wake();
      const forwarder = new Forwarder({ sender, epoch, owner, spool, clock, onChange });
      forwarder.connect(transport);
      forwarder.wake(true);
      await this.#progress(spool, forwarder);
      forwarder.close();
      if (spool.isEmpty && records > 0) this.#options.onAdopted?.({ sender, records });
      return spool.isEmpty;
    } finally {
      spool.close();
    }
  }

  /** Waits until all is acknowledged, as long as something is now and then. */
  async #progress(spool: Spool, forwarder: Forwarder): Promise<void> {
    let [isStuck, acked, cancel] = [false, -1, () => {}];
    while (!spool.isEmpty && !isStuck && !this.#isStopped) {
      if (forwarder.acknowledged > acked) {
        cancel();
        acked = forwarder.acknowledged;
        cancel = this.#options.clock.after(answerMs, () => {
          isStuck = true;
          this.#wake();
        });
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    cancel();
  }

  /** What cannot be read is left where it is; what its sender wrote besides is brought in all the same. */
  #noteBad(path: string, error: unknown): undefined {
    if (!(error instanceof BadSpoolError)) throw error;
    this.#note(path.replace(/\.claimed-.*/, ''), error);
  }

  #note(what: string, error: unknown): void {
    const isGone = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isGone || this.#told.has(what)) return;
    this.#told.add(what);
    this.#options.onTrouble?.(error);
  }
}

/** Whether another process that lives has it. */
function isClaimed({ claimedBy }: FoundFile, { owner: { host } }: SpoolHeader): boolean {
  if (claimedBy === undefined || claimedBy.pid === process.pid) return false;
  return ownerState({ host, ...claimedBy }) === 'alive';
}

/** The epochs of the senders whose records lie in files of these directories, and will be adopted. */
export async function spooledEpochs(directories: readonly string[]): Promise<Set<string>> {
  const names = await Promise.all(directories.map((directory) => readdir(directory).catch(() => [])));
  return new Set(names.flat().flatMap((name) => /\.([^.]+)\.\d+\.spool/.exec(name)?.[1] ?? []));
}

/** The spool files of a directory by their senders, those of each in the order in which they were made. */
async function spoolFiles(directory: string): Promise<Map<string, FoundFile[]>> {
  const names = await readdir(directory).catch(() => []);
  names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const bySender = new Map<string, FoundFile[]>();
  for (const name of names) {
    const [, sender, number, pid, start = ''] = fileName.exec(name) ?? [];
    if (sender === undefined) continue;
    const claimedBy = pid === undefined ? undefined : { pid: Number(pid), start };
    const file = {
      path: join(directory, name),
      original: join(directory, `${sender}.${number}.spool`),
      claimedBy,
    };
    bySender.set(sender, [...(bySender.get(sender) ?? []), file]);
  }
  return bySender;
}
