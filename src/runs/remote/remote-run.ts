// Runs in a thread or a process of their own, from the worker's side: records their messages, and kills them
// when they do not end in time.

import type { Clock } from '../../base/clock.js';
import { durationText } from '../../base/duration.js';
import type { Fields } from '../../log/fields.js';
import type { Outcome } from '../job.js';
import type { Run, RunEnd } from '../run.js';
import { afterGrace, endedWith } from '../run-stop.js';
import type { HostEnd, HostListener, HostNeeds, RunHost } from './host.js';
import type { FromRun } from './messages.js';
import type { HostPool } from './pool.js';

/** How many of its last lines are shown with a run that ended badly. */
const lastLines = 5;
const maxLineLength = 1000;
/** A host that was killed has ended by then, unless it is stuck in the system, or a thread in native code. */
const killedMs = 5000;

export interface RemoteContext {
  readonly pool: HostPool;
  readonly clock: Clock;
  /** Called when a run has asked for another one. */
  readonly onRequest: () => void;
}

/** Runs a job in a thread or a process, and returns how it ended. Never rejects. */
export async function runRemote(run: Run, needs: HostNeeds, context: RemoteContext): Promise<RunEnd> {
  const host = context.pool.take(needs);
  const remote = new RemoteRun(run, host, context);
  const outcome = await remote.outcome();
  if (remote.isClean) {
    context.pool.giveBack(host);
    return { outcome, abandoned: null };
  }
  host.kill();
  const ended = host.ended.then(() => undefined);
  return { outcome, abandoned: (await settlesWithin(context.clock, killedMs, ended)) ? null : ended };
}

async function settlesWithin(clock: Clock, delayMs: number, promise: Promise<void>): Promise<boolean> {
  let disarm: () => void = () => undefined;
  const tooLong = new Promise<boolean>((resolve) => {
    disarm = clock.after(delayMs, () => resolve(false));
  });
  const inTime = await Promise.race([promise.then(() => true), tooLong]);
  disarm();
  return inTime;
}

/** How a run ended: by its own message, with its host, or because its grace, so many ms, was over. */
type End =
  | Extract<FromRun, { linod: 'end' }>
  | HostEnd
  | { readonly how: 'killed'; readonly graceMs: number };

/** How a run ended, in words. */
interface Ending {
  readonly cause: string | null;
  readonly message: string;
}

class RemoteRun implements HostListener {
  /** Whether nothing of the run goes on there, so that its host can be used again. */
  isClean = false;
  readonly #run: Run;
  readonly #host: RunHost;
  readonly #context: RemoteContext;
  #startedAt: number;
  readonly #end: Promise<End>;
  #resolveEnd: (end: End) => void = () => undefined;
  readonly #disarm: () => void;
  /** The last lines. */
  readonly #lines: string[] = [];
  /** Whether its event loop has noticed that it is to end. */
  #hasHeard = false;
  #lastWords: Extract<FromRun, { linod: 'uncaught' | 'unable' }> | null = null;

  constructor(run: Run, host: RunHost, context: RemoteContext) {
    this.#run = run;
    this.#host = host;
    this.#context = context;
    this.#startedAt = context.clock.now();
    this.#end = new Promise((resolve) => {
      this.#resolveEnd = resolve;
    });
    host.listener = this;
    void host.ended.then(this.#resolveEnd);
    this.#begin();
    this.#disarm = afterGrace(run, context.clock, (graceMs) => this.#resolveEnd({ how: 'killed', graceMs }));
    run.stop.onAbort(({ status, message }) => host.post({ linod: 'abort', status, why: message }));
  }

  async outcome(): Promise<Outcome> {
    const end = await this.#end;
    this.#disarm();
    const outcome = this.#judge(end);
    if (outcome.status !== 'done') this.#log(outcome, end);
    return outcome;
  }

  onMessage(message: FromRun): void {
    const { log } = this.#run;
    switch (message.linod) {
      case 'log': {
        const { level, logger, message: text, fields, trace } = message;
        this.#remember(`${level} ${text}`);
        const parsed = fields === null ? undefined : (JSON.parse(fields) as Fields);
        log.write(level, logger, text, parsed, trace ?? undefined);
        break;
      }
      case 'progress': {
        const { done, total, text } = message;
        log.progress({ done, total, text });
        break;
      }
      case 'requested':
        this.#context.onRequest();
        break;
      case 'begun':
        this.#startedAt = this.#context.clock.now();
        this.#run.onBegun();
        break;
      case 'aborting':
        this.#hasHeard = true;
        break;
      case 'uncaught':
      case 'unable':
        this.#lastWords = message;
        break;
      case 'end':
        this.isClean = message.isClean;
        this.#resolveEnd(message);
        break;
    }
  }

  onPrint(stream: 'stdout' | 'stderr', line: string): void {
    if (line === '') return;
    if (stream === 'stdout' || !isOfCrash(line)) this.#remember(`${stream}: ${line}`);
    this.#run.log.logger.child(stream).log(stream === 'stdout' ? 'INFO' : 'WARNING', line);
  }

  #begin(): void {
    const { job, user, log, trace } = this.#run;
    this.#host.post({
      linod: 'run',
      jobId: job.id,
      procedure: job.procedure,
      user,
      dueAt: job.dueAt?.getTime() ?? null,
      attempt: job.attempt,
      skewMs: Date.now() - this.#context.clock.now(),
      args: job.args,
      checkpoint: job.checkpoint,
      trace,
      ...log.wanted,
    });
  }

  #judge(end: End): Outcome {
    const { reason } = this.#run.stop;
    const ending = this.#howItEnded(end);
    // Of a run that was killed nothing is known.
    const { cpuMs, memoryBytes } = 'linod' in end ? end.usage : { cpuMs: null, memoryBytes: null };
    const used = { cpuMs: cpuMs === null ? null : Math.round(cpuMs), memoryBytes };
    if (ending === null && reason === null) {
      const took = durationText(this.#context.clock.now() - this.#startedAt);
      return { status: 'done', message: `done in ${took}`, ...used };
    }
    const { cause, message } = ending ?? { cause: null, message: 'it ended by itself' };
    if (reason === null) return { status: 'failed', message, cause, ...used };
    return { status: reason.status, message: `${reason.message}; ${message}`, cause, ...used };
  }

  /** Null when the procedure has come to its end. */
  #howItEnded(end: End): Ending | null {
    const { kind } = this.#host.needs;
    const { reason } = this.#run.stop;
    if ('linod' in end) {
      if (end.error === null) return null;
      if (reason === null) return { cause: 'threw', message: end.error.text };
      return { cause: null, message: endedWith(end.error.headline, reason) };
    }
    if (end.how === 'killed') return this.#withLines(this.#howItWasKilled(end.graceMs));
    if (this.#lastWords?.linod === 'unable') {
      const message = `its ${kind} could not load the procedures of the site: ${this.#lastWords.error}`;
      return { cause: 'cannot start', message };
    }
    if (this.#lastWords?.linod === 'uncaught') {
      const isRejection = this.#lastWords.origin === 'unhandledRejection';
      const cause = isRejection ? 'unhandled rejection' : 'uncaught error';
      return { cause, message: `an error that nobody caught ended its ${kind}: ${this.#lastWords.error}` };
    }
    return this.#withLines(this.#howItsHostEnded(end));
  }

  #howItsHostEnded(end: HostEnd): Ending {
    const { kind, memoryMb } = this.#host.needs;
    switch (end.how) {
      case 'exit': {
        const message = `its ${kind} ended by itself with exit code ${end.code}`;
        return { cause: `exit ${end.code}`, message };
      }
      case 'signal':
        return { cause: end.signal, message: `its ${kind} was ended by ${end.signal}` };
      case 'memory': {
        const limit = memoryMb === 0 ? 'there is' : `the ${memoryMb} MiB that its rule allows`;
        return { cause: 'out of memory', message: `its ${kind} wanted more memory than ${limit}` };
      }
      case 'error':
        return { cause: 'cannot start', message: `its ${kind} failed: ${String(end.error)}` };
    }
  }

  #howItWasKilled(graceMs: number): Ending {
    const { kind } = this.#host.needs;
    const grace = durationText(graceMs);
    const killed = `and its ${kind} was killed`;
    const cause = kind === 'process' ? 'SIGKILL' : 'terminated';
    // It may have been about to react; nobody has waited for that.
    if (graceMs === 0) return { cause, message: `it was given no time, ${killed}` };
    if (this.#hasHeard) return { cause, message: `it did not react within ${grace}, ${killed}` };
    const message = `its event loop stood still for ${grace}, ${killed}`;
    return { cause: 'blocked: its event loop stood still', message };
  }

  #withLines(ending: Ending): Ending {
    if (this.#lines.length === 0) return ending;
    const lines = this.#lines.map((line) => `\n    ${line}`).join('');
    return { ...ending, message: `${ending.message}\nthe last that it logged:${lines}` };
  }

  #log(outcome: Outcome, end: End): void {
    const { log, stop } = this.#run;
    const [first = '', ...rest] = outcome.message.split('\n');
    const stack = this.#lastWords === null ? undefined : rest.join('\n');
    if (stop.reason !== null) log.write('WARNING', log.name, first);
    else if ('linod' in end) log.write('ERROR', log.name, 'failed', undefined, outcome.message);
    else log.write('ERROR', log.name, first, undefined, stack);
  }

  #remember(line: string): void {
    this.#lines.push((line.split('\n', 1)[0] ?? '').slice(0, maxLineLength));
    if (this.#lines.length > lastLines) this.#lines.shift();
  }
}

/**
 * Whether a line is one of some twenty that Node prints about its own crash. They would drive out what the
 * run said last.
 */
function isOfCrash(line: string): boolean {
  return /^<--- .* --->$|^----- .* -----$|^\s*\d+: 0x[0-9a-f]+ |\[\d+:0x[0-9a-f]+\] +\d+ ms: (?:Mark-Compact|Scavenge)/.test(
    line,
  );
}
