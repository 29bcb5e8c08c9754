// A process that is measured: how long it takes to start, what it costs, and a talk with it line by line.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/** What is run, and the line by which it says that it is ready. */
export interface Subject {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly directory: string;
  readonly ready: RegExp;
}

/** What a process has used so far. */
export interface Usage {
  /** User and system time of all its living threads. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** Nothing that is measured takes longer to start, to answer or to end. */
const patienceMs = 180_000;

/** Whatever ends this process, none of them is left behind. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Program {
  /** From the start of the process to its line, and that line. */
  startMs = Number.NaN;
  readyLine = '';
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lines: string[] = [];
  #onLine: () => void = () => undefined;
  #read = 0;

  private constructor({ name, command, args, directory }: Subject) {
    this.#name = name;
    this.#process = spawn(command, args, { cwd: directory, env: cleanEnvironment(), stdio: 'pipe' });
    this.#ended = once(this.#process, 'close').catch(() => undefined);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#lines.push(line);
        this.#onLine();
      });
    }
    running.add(this.#process);
    void this.#ended.then(() => {
      running.delete(this.#process);
      this.#onLine();
    });
  }

  /** Starts it and waits for its line. @throws Error with what it printed, when it ends before or takes too long */
  static async start(subject: Subject): Promise<Program> {
    const from = performance.now();
    const started = new Program(subject);
    started.readyLine = await started.line(subject.ready);
    started.startMs = performance.now() - from;
    return started;
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** The next line that it prints and that matches; earlier ones are passed over. */
  async line(pattern: RegExp): Promise<string> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      for (; this.#read < this.#lines.length; ) {
        const line = this.#lines[this.#read++] ?? '';
        if (pattern.test(line)) return line;
      }
      const hasEnded = this.#process.exitCode !== null || this.#process.signalCode !== null;
      if (hasEnded || performance.now() > giveUpAt)
        throw new Error(`${this.#name} does not print ${pattern}:\n${this.#lines.slice(-30).join('\n')}`);
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
        setTimeout(resolve, 1000).unref();
      });
    }
  }

  /** Writes a line to its standard input. */
  tell(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  usage(): Usage {
    return usageOf(this.pid);
  }

  /** Asks it to end, at last by force. */
  async stop(): Promise<void> {
    this.#process.stdin?.end();
    this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), patienceMs);
    await this.#ended;
    clearTimeout(timer);
  }
}

/** What a process has used so far. @throws Error when it has ended: a dead one would look cheap */
export function usageOf(pid: number | undefined): Usage {
  const tasks = `/proc/${pid}/task`;
  const cpuNs = readdirSync(tasks)
    .map((thread) => cpuNsOf(`${tasks}/${thread}/schedstat`))
    .reduce((sum, ns) => sum + ns, 0);
  const rssKb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return { cpuMs: cpuNs / 1e6, rssBytes: Number(rssKb) * 1024 };
}

/** Nanoseconds that a thread has run. Source: the kernel's Documentation/scheduler/sched-stats.rst. */
function cpuNsOf(schedstat: string): number {
  try {
    return Number(readFileSync(schedstat, 'latin1').split(' ')[0]);
  } catch {
    return 0; // it has ended since its directory was listed
  }
}

/** Without what other sites of this machine have set. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(LINOD?_|REDIS_URL$|DATABASE_URL$|DJANGO_|PYTHON|NODE_OPTIONS$|NODE_V8_COVERAGE$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}
