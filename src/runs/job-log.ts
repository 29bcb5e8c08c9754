// What a run logs: to lino.log like everything else, and, from the rule's level on, to the job.

import type { Clock } from '../base/clock.js';
import type { LevelName } from '../base/log-levels.js';
import { type Fields, stringifyFields } from '../log/fields.js';
import { atMost, everything, type LevelTree, levelnoOf } from '../log/levels/level-tree.js';
import { Logger } from '../log/logger.js';
import type { LogSink } from '../log/sink.js';
import type { LevelsByName } from '../site/log-settings.js';
import type { Job, Progress } from './job.js';
import type { Jobs } from './job-table.js';

export interface JobLogOptions {
  readonly job: Job;
  readonly jobs: Pick<Jobs, 'addLines' | 'setProgress'>;
  /**
   * Where lino.log's records go, and the levels below which they are dropped, which may change during the
   * run.
   */
  readonly sink: LogSink;
  readonly levels: LevelTree;
  /** Paths of fields whose values are hidden, as the setting `redact` has them. */
  readonly redact?: readonly string[] | undefined;
  /** The level below which the job keeps nothing. */
  readonly ruleLevel: LevelName;
  readonly clock: Clock;
}

/** A job keeps so many lines, and so many characters of each and of all; lino.log has more. */
const maxLines = 10_000;
const maxLineLength = 16 * 1024;
const maxLength = 8 * 1024 * 1024;
/** Lines and progress are written together, so often. */
const writeEveryMs = 500;
/** Maximum of attempts to write the last lines before they are omitted from the job. */
const lastTries = 3;

interface Line {
  readonly at: number;
  readonly level: LevelName;
  readonly text: string;
}

export class JobLog implements LogSink {
  readonly #options: JobLogOptions;
  #logger: Logger | null = null;
  #lines: Line[] = [];
  #kept = 0;
  #keptLength = 0;
  #isFull = false;
  #progress: Progress | null = null;
  #disarm: (() => void) | null = null;
  #writing: Promise<void> | null = null;
  #isClosing = false;

  constructor(options: JobLogOptions) {
    this.#options = options;
  }

  /** Made when it is asked for: many runs have nothing to say. */
  get logger(): Logger {
    const { levels, ruleLevel, job, redact } = this.#options;
    const own = job.debug ? everything : atMost(levels, ruleLevel);
    this.#logger ??= new Logger({ sink: this, name: this.name, levels: own, redact });
    return this.#logger;
  }

  get name(): string {
    return `procedures.${this.#options.job.procedure}`;
  }

  /** What a thread or process needs to know, to send no more than this keeps. */
  get wanted(): { readonly levels: LevelsByName; readonly level: LevelName; readonly debug: boolean } {
    const { levels, job } = this.#options;
    return { levels: levels.configured, level: this.#jobLevel, debug: job.debug };
  }

  write(
    level: LevelName,
    logger: string,
    message: string,
    fields?: Fields,
    trace?: string,
    at?: number,
  ): void {
    const { job, sink, levels, clock } = this.#options;
    if (job.debug || levelnoOf(level) >= levels.threshold(logger)) {
      sink.write(level, logger, message, { rule: job.ruleId, job: job.id, ...fields }, trace, at);
    }
    if (levelnoOf(level) < levelnoOf(this.#jobLevel) || this.#isFull) return;
    const text = lineText(message, fields, trace);
    this.#kept++;
    this.#keptLength += text.length;
    this.#isFull = this.#kept > maxLines || this.#keptLength > maxLength;
    const kept = this.#isFull
      ? `more than ${maxLines} lines or ${maxLength} characters: the rest is only in lino.log`
      : text;
    this.#lines.push({ at: at ?? clock.now(), level, text: kept });
    this.#writeSoon();
  }

  progress(progress: Progress): void {
    this.#progress = progress;
    this.#writeSoon();
  }

  /** Whether nothing is left to write, as of the many runs that have nothing to say. */
  get isWritten(): boolean {
    return this.#lines.length === 0 && this.#progress === null && this.#writing === null;
  }

  /** Writes the remaining lines. Never rejects: a failure is logged in lino.log. */
  async close(): Promise<void> {
    if (this.isWritten) return;
    this.#isClosing = true;
    for (let tries = 1; ; tries++) {
      this.#disarm?.();
      this.#disarm = null;
      await this.#write();
      if (this.#lines.length === 0) return;
      if (tries < lastTries) continue;
      const { sink, job } = this.#options;
      sink.write('ERROR', this.name, `job ${job.id}: ${this.#lines.length} lines could not be kept with it`);
      return;
    }
  }

  /** The level below which the job keeps nothing. */
  get #jobLevel(): LevelName {
    return this.#options.job.debug ? 'DEBUG' : this.#options.ruleLevel;
  }

  #writeSoon(): void {
    this.#disarm ??= this.#options.clock.after(writeEveryMs, () => {
      this.#disarm = null;
      void this.#write();
    });
  }

  /** One write after the other. What fails is tried again with the next. Never rejects. */
  #write(): Promise<void> {
    this.#writing = (this.#writing ?? Promise.resolve()).then(async () => {
      const { job, jobs } = this.#options;
      const lines = this.#lines;
      const progress = this.#progress;
      this.#lines = [];
      this.#progress = null;
      try {
        if (lines.length > 0) await jobs.addLines(job, lines);
        lines.length = 0;
        if (progress === null || (await jobs.setProgress(job, progress))) return;
      } catch {
        // The database is away. What is left comes with the next.
      }
      this.#lines = [...lines, ...this.#lines];
      this.#progress ??= progress;
      if (!this.#isClosing) this.#writeSoon();
    });
    return this.#writing;
  }
}

function lineText(message: string, fields: Fields | undefined, trace: string | undefined): string {
  const head = fields === undefined ? message : `${message} ${stringifyFields(fields)}`;
  const text = trace === undefined ? head : `${head}\n${trace}`;
  return text.length > maxLineLength ? `${text.slice(0, maxLineLength)}…` : text;
}
