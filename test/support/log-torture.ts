// A site whose processes log at full speed while everything around them is killed, suspended, filled up or taken away, and
// what has to be true of the log afterwards.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import type { Test } from 'tap';
import { LiveSite, lastMark, stopApplication } from './live-site.js';
import { type LoggedRecord, readRecords } from './log.js';
import { eventually, type Program } from './programs.js';
import type { Random } from './random.js';
import type { RedisServer } from './redis.js';

export interface TortureOptions {
  readonly random: Random;
  readonly seconds: number;
  readonly senders: number;
  /** Killed and started again at random, too; the site is on SQLite without. */
  readonly server?: RedisServer;
}

/** What was done, and what is wrong: `wrong` should be empty. */
export interface TortureResult {
  readonly done: Readonly<Record<string, number>>;
  /** Records that loggers accepted and that had to arrive, and lines that stand in the log. */
  readonly accepted: number;
  readonly written: number;
  /** Dropped or lost, as the log tells itself. */
  readonly lost: number;
  readonly wrong: readonly string[];
}

/** In a process that is started with it, the clock is set at some moment, mostly back. */
const clock = `const [atMs, byMs] = (process.env.CLOCK_STEP ?? '').split(' ').map(Number);
const { now } = Date;
const from = performance.now();
const shift = () => (performance.now() - from > atMs ? byMs : 0);
Date.now = () => now() + shift();
globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [Date.now()] : args));
  }
};
`;

/** So large is the disk of the log: enough for what is logged, and no more, for it is filled up at times. */
function diskMb(seconds: number): number {
  return seconds > 60 ? 4096 : 512;
}

/** What a removed directory took along is not found by who comes later: within this time no sender is killed. */
const calmMs = 4000;
/** A file is read in parts of this size. */
const partBytes = 64 * 1024 ** 2;

/** As `linod log verify --json` prints it. */
interface VerifyReport {
  readonly records: number;
  readonly files: readonly unknown[];
  readonly faults: readonly unknown[];
}

interface Sender {
  readonly name: string;
  readonly program: Program;
}

/** Runs the torture. What it does is chosen by `random`; how the processes take it is up to them. */
export async function tortureLog(t: Test, options: TortureOptions): Promise<TortureResult> {
  const world = new World(t, options);
  await world.begin();
  const endAt = performance.now() + options.seconds * 1000;
  while (performance.now() < endAt) await world.disturb();
  return await world.end();
}

class World {
  readonly #random: Random;
  readonly #options: TortureOptions;
  readonly #site: LiveSite;
  /** The file system of the log, if this process may make one. */
  readonly #disk: string | undefined;
  readonly #done: Record<string, number> = {};
  readonly #workers: Program[] = [];
  readonly #senders: Sender[] = [];
  /** How many records of a process have to be in the log, by its label; of one that was killed there may be more. */
  readonly #due = new Map<string, number>();
  readonly #left: string[] = [];
  #movedAt = Number.NEGATIVE_INFINITY;
  #fullUntil = Number.NEGATIVE_INFINITY;
  /** Whether linod rotates the log itself, every few seconds; else another program does now and then. */
  readonly #isRotated: boolean;

  constructor(t: Test, options: TortureOptions) {
    const { server, random } = options;
    this.#random = random;
    this.#options = options;
    this.#isRotated = random.chance(0.5);
    this.#site = new LiveSite(t, {
      shippedProcedures: false,
      ...(this.#isRotated ? { logRotateMegabytes: random.pick([1, 5, 20]), logKeepFiles: 0 } : {}),
      ...(server === undefined ? {} : { channelLayer: server.url }),
      logDirectory: 'disk/log',
      files: { 'clock.mjs': clock, 'disk/log/README': 'made by the test' },
    });
    this.#disk = mountDisk(t, this.#site.path('disk'), diskMb(options.seconds));
  }

  get #directory(): string {
    return this.#site.path('disk/log');
  }

  async begin(): Promise<void> {
    const first = await this.#site.startWorker('--initiate');
    this.#workers.push(first, this.#startWorker());
    for (let i = 0; i < this.#options.senders; i++) this.#senders.push(this.#startSender(`app${i}`));
  }

  #startWorker(): Program {
    this.#site.environment = this.#clockStep();
    const worker = this.#site.start('runworker', this.#site.channel, '--grace', '5');
    this.#site.environment = {};
    return worker;
  }

  #startSender(name: string): Sender {
    // Some log now and then, some thousands of records a second: as many as a disk takes for minutes.
    const burst = this.#random.pick([1, 5, 20]);
    this.#site.environment = this.#clockStep();
    const program = this.#site.startApplication(name, { burst });
    this.#site.environment = {};
    return { name, program };
  }

  #clockStep(): Record<string, string> {
    if (!this.#random.chance(0.3)) return {};
    const step = `${this.#random.whole(100, 3000)} ${this.#random.pick([-3_600_000, -5000, -200, 60_000])}`;
    return {
      NODE_OPTIONS: `--import=${pathToFileURL(this.#site.path('clock.mjs')).href}`,
      CLOCK_STEP: step,
    };
  }

  /** One accident. */
  async disturb(): Promise<void> {
    const random = this.#random;
    await setTimeout(random.whole(50, 600));
    const kinds = {
      'a worker was killed': () => this.#killWorker('SIGKILL'),
      'a worker was stopped': () => this.#killWorker('SIGTERM'),
      'a worker was suspended': () => this.#suspend(random.pick(this.#workers), 3000),
      'a sender was killed': () => this.#killSender(),
      'a sender was suspended': () => this.#suspend(random.pick(this.#senders).program, 2000),
      'Redis was killed': () => this.#killRedis(),
      'the disk was full': () => this.#fillDisk(),
      'the directory was moved away': () => this.#moveDirectory(),
      'the file was renamed': () => this.#renameFile(),
    };
    const what = random.pick(Object.keys(kinds) as Array<keyof typeof kinds>);
    if (await kinds[what]()) this.#done[what] = (this.#done[what] ?? 0) + 1;
  }

  async #killWorker(signal: 'SIGKILL' | 'SIGTERM'): Promise<boolean> {
    const i = this.#random.whole(0, this.#workers.length - 1);
    this.#workers[i]?.kill(signal);
    this.#workers[i] = this.#startWorker();
    return true;
  }

  async #suspend(program: Program, mostMs: number): Promise<boolean> {
    program.kill('SIGSTOP');
    await setTimeout(this.#random.whole(50, mostMs));
    program.kill('SIGCONT');
    return true;
  }

  async #killSender(): Promise<boolean> {
    if (performance.now() - this.#movedAt < calmMs) return false;
    // Until a second after the disk was full, records are in memory: what is killed then loses them, as the page tells.
    if (performance.now() - this.#fullUntil < calmMs) return false;
    const i = this.#random.whole(0, this.#senders.length - 1);
    const sender = this.#senders[i];
    if (sender === undefined) return false;
    sender.program.kill('SIGKILL');
    await sender.program.ended();
    this.#due.set(labelOf(sender), lastMark(sender.program));
    this.#senders[i] = this.#startSender(sender.name);
    return true;
  }

  async #killRedis(): Promise<boolean> {
    const { server } = this.#options;
    if (server === undefined) return false;
    await server.kill();
    await setTimeout(this.#random.whole(0, 1500));
    await server.restart();
    return true;
  }

  async #fillDisk(): Promise<boolean> {
    if (this.#disk === undefined) return false;
    const filler = join(this.#disk, 'filler');
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=16M'], { stdio: 'ignore' });
    } catch {
      // It is to fail: there is no room left.
    }
    await setTimeout(this.#random.whole(100, 1500));
    rmSync(filler, { force: true });
    this.#fullUntil = performance.now();
    return true;
  }

  async #moveDirectory(): Promise<boolean> {
    if (performance.now() - this.#movedAt < calmMs || !existsSync(this.#site.logFile)) return false;
    this.#movedAt = performance.now();
    const left = `${this.#directory}-${this.#left.length}`;
    renameSync(this.#directory, left);
    this.#left.push(left);
    return true;
  }

  async #renameFile(): Promise<boolean> {
    if (this.#isRotated) return false;
    const path = join(this.#directory, 'lino.log');
    if (!existsSync(path)) return false;
    // As logrotate names them with `dateext` and a number that never comes again.
    const number = (this.#done['the file was renamed'] ?? 0) + 1;
    renameSync(path, `${path}.${1_000_000 - number}`);
    return true;
  }

  /** Lets all of it come to rest, and looks. */
  async end(): Promise<TortureResult> {
    for (const { program } of this.#senders) program.kill('SIGCONT');
    await Promise.all(
      this.#senders.map(async (sender) => {
        this.#due.set(labelOf(sender), await stopApplication(sender.program));
      }),
    );
    // A process whose clock is an hour behind the others' cannot talk to them: what it sends has expired. So the last worker is
    // one whose clock is right.
    await this.#stopWorkers();
    this.#workers.push(await this.#site.startWorker('--grace', '5'));
    try {
      await eventually('all that was spooled is in the log', () => this.#spooled().length === 0);
    } catch (error) {
      throw new Error(`these spool files are left: ${this.#spooled().join(', ')}`, { cause: error });
    }
    await this.#stopWorkers();
    const result = this.#examine();
    return this.#left.length > 0
      ? result
      : { ...result, wrong: [...result.wrong, ...(await this.#verify())] };
  }

  /** What `linod log verify` says, where it sees all there is. */
  async #verify(): Promise<string[]> {
    const { stdout } = await this.#site.run('linod', 'log', 'verify', '--json');
    const report: VerifyReport = JSON.parse(stdout);
    let records = 0;
    for (const { sender } of recordsIn(this.#directory)) if (sender !== undefined) records++;
    const wrong = report.faults.map((fault) => `linod log verify: ${JSON.stringify(fault)}`);
    if (report.records !== records)
      wrong.push(`linod log verify counts ${report.records} of ${records} records`);
    const rotated = report.files.length - 1;
    if (this.#isRotated) this.#done['the log was rotated by linod'] = rotated;
    return wrong.slice(0, 10);
  }

  async #stopWorkers(): Promise<void> {
    for (const worker of this.#workers) worker.kill('SIGTERM');
    await Promise.all(this.#workers.map((worker) => worker.ended()));
    this.#workers.length = 0;
  }

  #spooled(): string[] {
    const spool = join(this.#directory, 'spool');
    return existsSync(spool) ? readdirSync(spool).filter((name) => /\.spool/.test(name)) : [];
  }

  #examine(): TortureResult {
    const directories = [...this.#left, this.#directory];
    const { bySender, lost } = gather(directories);
    const wrong: string[] = [];
    const sum = { accepted: 0, written: 0, lost: 0 };
    for (const [sender, due] of this.#due) {
      const numbers = lost.get(sender) ?? new Set();
      const account = accountOf(sender, bySender.get(sender) ?? [], due, numbers);
      sum.accepted += due;
      sum.written += account.written;
      sum.lost += account.dropped + numbers.size;
      wrong.push(...account.wrong, ...(account.wrong.length > 0 ? storyOf(sender, directories) : []));
    }
    return { done: this.#done, ...sum, wrong: wrong.slice(0, 100) };
  }
}

/** The lines of each sender in their order, and the numbers that the log tells to be lost. */
function gather(directories: readonly string[]) {
  const bySender = new Map<string, Line[]>();
  const lost = new Map<string, Set<number>>();
  // One at a time: in five minutes there are tens of millions.
  for (const directory of directories)
    for (const { sender, number, text } of recordsIn(directory)) {
      if (sender === undefined) noteLost(lost, text);
      else {
        const lines = bySender.get(sender) ?? [];
        if (lines.length === 0) bySender.set(sender, lines);
        lines.push(lineOf(number, text));
      }
    }
  return { bySender, lost };
}

function labelOf({ name, program }: Sender): string {
  return `${name}[${program.pid}]`;
}

/** A line of a sender: one of its records, or what it says of those that it dropped. */
interface Line {
  readonly number: number;
  /** Which record it is; 0 for none. */
  readonly record: number;
  readonly dropped: number;
}

function lineOf(number: number, text: string): Line {
  const record = Number(/^record (\d+)$/.exec(text)?.[1] ?? 0);
  const dropped = Number(/^(\d+) records? (?:was|were) dropped/.exec(text)?.[1] ?? 0);
  return { number, record, dropped };
}

/** What a sender's lines say: how many of its records there are and were dropped, as it tells itself, and what is wrong. */
interface Account {
  readonly written: number;
  readonly dropped: number;
  readonly wrong: string[];
}

/** Each number and each record once and in order; as many as are not there were told to be dropped or lost. */
function accountOf(sender: string, own: readonly Line[], due: number, lost: ReadonlySet<number>): Account {
  const wrong: string[] = [];
  let number = 0;
  let last = 0;
  let written = 0;
  let dropped = 0;
  for (const line of own) {
    for (number++; number < line.number && lost.has(number); ) number++;
    if (line.number !== number) wrong.push(`${sender}: #${line.number} stands where #${number} should`);
    number = line.number;
    dropped += line.dropped;
    if (line.dropped > 0) continue;
    written++;
    if (line.record <= last) wrong.push(`${sender}#${number}: record ${line.record} comes after ${last}`);
    last = line.record;
  }
  const known = written + dropped + lost.size;
  if (known < Math.max(due, last))
    wrong.push(
      `${sender}: of ${Math.max(due, last)} records ${written} are there and ${known - written} told`,
    );
  return { written, dropped, wrong: wrong.slice(0, 3) };
}

/** What the log has of a sender, for whoever is to find out why that is wrong: its numbers in a row, and the notes that name it. */
function storyOf(sender: string, directories: readonly string[]): string[] {
  const story: string[] = [];
  let [first, last] = [0, 0];
  const tellRun = () => {
    if (last > 0) story.push(`${sender}: #${first}-${last}`);
    last = 0;
  };
  for (const record of directories.flatMap((directory) => [...recordsIn(directory)])) {
    if (record.sender === sender && last > 0 && record.number === last + 1) last++;
    else if (record.sender === sender) {
      tellRun();
      [first, last] = [record.number, record.number];
    } else if (record.text.includes(sender) && !record.text.startsWith('in the files before')) {
      tellRun();
      story.push(`${record.sender ?? 'the writer'}: ${record.text}`);
    }
  }
  tellRun();
  return story.slice(-30);
}

/** Notes of the writer tell ranges of numbers. */
function noteLost(lost: Map<string, Set<number>>, text: string): void {
  const [, from, to] = /"from":(\d+),"to":(\d+)/.exec(text) ?? [];
  const [, sender] = /"sender":"([^"]+)"/.exec(text) ?? [];
  if (sender === undefined || !/ lost: /.test(text)) return;
  const numbers = lost.get(sender) ?? new Set();
  for (let n = Number(from); n <= Number(to); n++) numbers.add(n);
  lost.set(sender, numbers);
}

/** The records of a directory's log, the oldest file first. */
function* recordsIn(directory: string): Generator<LoggedRecord> {
  if (!existsSync(directory)) return;
  const names = readdirSync(directory).filter((name) => isLog.test(name));
  // A worker that was killed has compressed a file and not removed it yet.
  const once = names.filter((name) => !name.endsWith('.gz') || !names.includes(name.slice(0, -3)));
  once.sort((a, b) => order(a) - order(b) || stampOf(a).localeCompare(stampOf(b), 'en', { numeric: true }));
  for (const name of once) {
    const path = join(directory, name);
    yield* recordsOf(name.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path));
  }
}

const isLog = /^lino\.log(?:\.\d+|-[\dT.]+Z(?:-\d+)?(?:\.gz)?)?$/;

/** `lino.log` is the last one; before it come those that were renamed by the test, the highest number first. */
function order(name: string): number {
  if (name === 'lino.log') return 1;
  return name.startsWith('lino.log-') ? 0 : -Number(name.slice('lino.log.'.length));
}

/** When linod rotated a file, and which it was of that moment. */
function stampOf(name: string): string {
  const [, at = '', again = '0'] = /-([\dT.]+)Z(?:-(\d+))?/.exec(name) ?? [];
  return `${at} ${again}`;
}

/** A file may be longer than a string can be. What was being written when it was taken away is written anew in the next. */
function* recordsOf(bytes: Buffer): Generator<LoggedRecord> {
  for (let at = 0; at < bytes.length; ) {
    const text = bytes.toString('utf8', at, at + partBytes);
    const whole = text.slice(0, wholeLength(text));
    if (whole === '') return;
    yield* readRecords(whole);
    at += Buffer.byteLength(whole);
  }
}

/** Where the last record ends that is whole: a line that ends in a space goes on. */
function wholeLength(text: string): number {
  for (let end = text.lastIndexOf('\n'); end > 0; end = text.lastIndexOf('\n', end - 1)) {
    if (text[end - 1] !== ' ') return end + 1;
  }
  return 0;
}

/** A file system in memory, small enough to be filled; undefined for who may not mount one. */
function mountDisk(t: Test, directory: string, megabytes: number): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory], {
      stdio: 'ignore',
    });
  } catch {
    t.comment('no disk that can be filled: that takes the right to mount one');
    return undefined;
  }
  t.teardown(() => execFileSync('umount', ['-l', directory], { stdio: 'ignore' }));
  return directory;
}
