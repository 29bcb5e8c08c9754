// Runs in a thread or a process of their own, from the worker's side: what they say is kept, and they are ended when
// they have to be, whatever they do.

import type { Clock } from '../clock.js';
import { durationText } from '../duration.js';
import type { Fields } from '../log/fields.js';
import type { Outcome } from '../tasks/job.js';
import type { HostEnd, HostListener, RunHost } from './host.js';
import type { FromRun, Usage } from './messages.js';
import type { HostPool } from './pool.js';
import { graceOf, type Run, type RunEnd } from './run.js';
import { endedWith, type RunAbortedError } from './stop.js';

/** So many of the last lines that it logged are told with a run that ended badly. */
const lastLines = 5;
/** What was killed has ended at once, unless it is stuck in the system, or a thread in native code. */
const killedMs = 5000;

export interface RemoteContext {
  readonly pool: HostPool;
  readonly clock: Clock;
  /** Called when a run has asked for another one. */
  readonly onRequest: () => void;
}

/** Runs a job in a thread or a process, and tells how it ended. Never rejects. */
export async function runRemote(run: Run, kind: RunHost['kind'], context: RemoteContext): Promise<RunEnd> {
  const { memoryMb } = run.rule.policies;
  const host = context.pool.take(kind, memoryMb);
  const remote = new RemoteRun(run, host, context);
  const outcome = await remote.outcome();
  if (remote.canServeAgain) {
    context.pool.giveBack(host, memoryMb);
    return { outcome, left: null };
  }
  host.kill();
  const hasEnded = await endsWithin(context.clock, killedMs, host);
  return { outcome, left: hasEnded ? null : host.ended.then(() => undefined) };
}

async function endsWithin(clock: Clock, delayMs: number, host: RunHost): Promise<boolean> {
  let disarm: () => void = () => undefined;
  const tooLong = new Promise<boolean>((resolve) => {
    disarm = clock.after(delayMs, () => resolve(false));
  });
  const hasEnded = await Promise.race([host.ended.then(() => true), tooLong]);
  disarm();
  return hasEnded;
}

type End = Extract<FromRun, { linod: 'end' }>;

/** The last that a run said of its end by itself. */
type LastWords = Extract<FromRun, { linod: 'uncaught' | 'unable' }>;

class RemoteRun implements HostListener {
  readonly #run: Run;
  readonly #host: RunHost;
  readonly #context: RemoteContext;
  readonly #startedAt: number;
  readonly #end: Promise<End | HostEnd | 'killed'>;
  #tellEnd: (end: End | HostEnd | 'killed') => void = () => undefined;
  #lines: string[] = [];
  #hasHeard = false;
  #graceMs = 0;
  #giveUpAt = Number.POSITIVE_INFINITY;
  #disarm: () => void = () => undefined;
  #usage: Usage | null = null;
  #lastWords: LastWords | null = null;
  #isClean = false;

  constructor(run: Run, host: RunHost, context: RemoteContext) {
    this.#run = run;
    this.#host = host;
    this.#context = context;
    this.#startedAt = context.clock.now();
    this.#end = new Promise((resolve) => {
      this.#tellEnd = resolve;
    });
    host.listener = this;
    void host.ended.then((end) => this.#tellEnd(end));
    this.#begin();
  }

  /** Whether nothing of the run goes on there. */
  get canServeAgain(): boolean {
    return this.#isClean;
  }

  async outcome(): Promise<Outcome> {
    const end = await this.#end;
    this.#disarm();
    const outcome = this.#judge(end);
    if (outcome.status !== 'done') this.#tell(outcome, end);
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
      case 'aborting':
        this.#hasHeard = true;
        break;
      case 'exiting':
        this.#usage = message.usage;
        break;
      case 'uncaught':
      case 'unable':
        this.#lastWords = message;
        break;
      case 'end':
        this.#usage = message.usage;
        this.#isClean = message.isClean;
        this.#tellEnd(message);
        break;
      case 'ready':
        break;
    }
  }

  onPrint(stream: 'stdout' | 'stderr', line: string): void {
    if (line === '') return;
    if (stream === 'stdout' || !isOfCrash(line)) this.#remember(`${stream}: ${line}`);
    this.#run.log.logger.child(stream).log(stream === 'stdout' ? 'INFO' : 'WARNING', line);
  }

  #begin(): void {
    const { job, user, stop, log } = this.#run;
    const { clock } = this.#context;
    this.#host.post({
      linod: 'run',
      jobId: job.id,
      procedure: job.procedure,
      user,
      dueAt: job.dueAt?.getTime() ?? null,
      attempt: job.attempt,
      skewMs: Date.now() - clock.now(),
      args: job.args,
      checkpoint: job.checkpoint,
      ...log.wanted,
    });
    stop.onAbort((reason) => this.#abort(reason));
  }

  #abort(reason: RunAbortedError): void {
    const { clock } = this.#context;
    const graceMs = graceOf(this.#run, reason);
    if (clock.now() + graceMs >= this.#giveUpAt) return;
    this.#giveUpAt = clock.now() + graceMs;
    this.#graceMs = graceMs;
    this.#disarm();
    this.#disarm = clock.after(graceMs, () => this.#tellEnd('killed'));
    this.#host.post({ linod: 'abort', status: reason.status, why: reason.message });
  }

  #judge(end: End | HostEnd | 'killed'): Outcome {
    const { reason } = this.#run.stop;
    const told = this.#howItEnded(end);
    const { cpuMs, memoryBytes } = this.#usage ?? this.#host.usage();
    const used = { cpuMs: cpuMs === null ? null : Math.round(cpuMs), memoryBytes };
    if (told === null && reason === null) {
      const took = durationText(this.#context.clock.now() - this.#startedAt);
      return { status: 'done', message: `done in ${took}`, ...used };
    }
    const cause = told?.cause ?? null;
    const how = told === null ? 'it ended by itself' : told.message;
    if (reason === null) return { status: 'failed', message: how, cause, ...used };
    return { status: reason.status, message: `${reason.message}; ${how}`, cause, ...used };
  }

  /** Null when the procedure has come to its end. */
  #howItEnded(end: End | HostEnd | 'killed'): { cause: string | null; message: string } | null {
    const { kind } = this.#host;
    if (end === 'killed') return this.#howItWasKilled();
    if ('linod' in end) {
      if (end.error === null) return null;
      const { text, headline } = end.error;
      const { reason } = this.#run.stop;
      if (reason !== null) return { cause: null, message: endedWith(headline, reason) };
      return { cause: 'threw', message: text };
    }
    if (this.#lastWords?.linod === 'unable') {
      const message = `its ${kind} could not load the procedures of the site: ${this.#lastWords.error}`;
      return { cause: 'cannot start', message };
    }
    if (this.#lastWords?.linod === 'uncaught') {
      const isRejection = this.#lastWords.origin === 'unhandledRejection';
      const cause = isRejection ? 'unhandled rejection' : 'uncaught error';
      const message = `an error that nobody caught ended its ${kind}: ${this.#lastWords.error}`;
      return { cause, message };
    }
    return this.#withLines(this.#howItsHostEnded(end));
  }

  #howItsHostEnded(end: HostEnd): { cause: string; message: string } {
    const { kind } = this.#host;
    switch (end.how) {
      case 'exit':
        return {
          cause: `exit ${end.code}`,
          message: `its ${kind} ended by itself with exit code ${end.code}`,
        };
      case 'signal':
        return { cause: end.signal, message: `its ${kind} was ended by ${end.signal}` };
      case 'memory': {
        const { memoryMb } = this.#run.rule.policies;
        const limit = memoryMb === 0 ? 'there is' : `the ${memoryMb} MiB that its rule allows`;
        return { cause: 'out of memory', message: `its ${kind} wanted more memory than ${limit}` };
      }
      case 'error':
        return { cause: 'cannot start', message: `its ${kind} failed: ${String(end.error)}` };
    }
  }

  #howItWasKilled(): { cause: string; message: string } {
    const { kind } = this.#host;
    const grace = durationText(this.#graceMs);
    const killed = `and its ${kind} was killed`;
    const cause = kind === 'process' ? 'SIGKILL' : 'terminated';
    // It may have been about to react; nobody has waited for that.
    if (this.#graceMs === 0) return this.#withLines({ cause, message: `it was given no time, ${killed}` });
    if (!this.#hasHeard) {
      const message = `its event loop stood still for ${grace}, ${killed}`;
      return this.#withLines({ cause: 'blocked: its event loop stood still', message });
    }
    const message = `it did not react within ${grace}, ${killed}`;
    return this.#withLines({ cause, message });
  }

  #withLines(told: { cause: string; message: string }): { cause: string; message: string } {
    if (this.#lines.length === 0) return told;
    const lines = this.#lines.map((line) => `\n    ${line}`).join('');
    return { ...told, message: `${told.message}\nthe last that it logged:${lines}` };
  }

  #tell(outcome: Outcome, end: End | HostEnd | 'killed'): void {
    const { log, stop } = this.#run;
    const [first = '', ...rest] = outcome.message.split('\n');
    if (stop.reason !== null) log.write('WARNING', log.name, first);
    else if (end !== 'killed' && 'linod' in end) {
      log.write('ERROR', log.name, 'failed', undefined, outcome.message);
    } else
      log.write('ERROR', log.name, first, undefined, this.#lastWords === null ? undefined : rest.join('\n'));
  }

  #remember(line: string): void {
    this.#lines.push(line.split('\n', 1)[0] ?? '');
    if (this.#lines.length > lastLines) this.#lines.shift();
  }
}

/**
 * Whether a line is one of those that Node prints about its own end: where in its code that was, some twenty lines. They
 * are in the log, and would drive out what the run said last.
 */
function isOfCrash(line: string): boolean {
  return /^<--- .* --->$|^----- .* -----$|^\s*\d+: 0x[0-9a-f]+ |\[\d+:0x[0-9a-f]+\] +\d+ ms: (?:Mark-Compact|Scavenge)/.test(
    line,
  );
}
