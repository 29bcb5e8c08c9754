// The logger coroutine: receives the log's messages, has them written, and answers.

import { dirname, join } from 'node:path';
import type { ChannelLayer } from '../../channels/index.js';
import type { Clock } from '../clock.js';
import { SpoolAdopter } from './adopter.js';
import { type Thresholds, writeForeign } from './foreign.js';
import type { Reply } from './inbox.js';
import { ToldSenders } from './levels/carry.js';
import { LevelTree } from './levels/level-tree.js';
import type { LevelOverride } from './levels/override.js';
import type { LocalTransport } from './local-transport.js';
import { type LogAnswer, type LogRequest, sendersGroup } from './messages.js';
import type { PositionStore } from './positions.js';
import type { LogSender } from './sender.js';
import { LogWriter, type LogWriterOptions, type LogWriterStatus, type Refusal } from './writer.js';

export interface LoggerCoroutineOptions {
  readonly layer: ChannelLayer;
  /** The log's channel, `linod_mysite.log`. */
  readonly channel: string;
  /** The log file, `…/log/lino.log`. */
  readonly path: string;
  readonly positions: PositionStore;
  readonly clock: Clock;
  readonly timezone?: string | undefined;
  /** How the writer's notes are written; default `text`. */
  readonly format?: LogWriterOptions['format'];
  readonly sync?: LogWriterOptions['sync'];
  readonly rotation?: LogWriterOptions['rotation'];
  readonly fence?: LogWriterOptions['fence'];
  readonly orderMs?: LogWriterOptions['orderMs'];
  /** Where ended processes of this machine left records; default: `spool` beside the log file. */
  readonly spoolDirectories?: readonly string[] | undefined;
  /** What was said about levels at run time; senders are told. */
  readonly levels?: (() => readonly LevelOverride[]) | undefined;
  /** Which records are wanted of processes that have no sender; default: INFO and above. */
  readonly thresholds?: Thresholds | undefined;
  /** This process's own sender. It writes down single records of processes that have none, and what goes wrong here. */
  readonly sender: LogSender;
  /** The sender's transport, if its records are to take the short way while the coroutine runs here. */
  readonly local?: LocalTransport | undefined;
  /** Told once when the log cannot be written, and with undefined when it can again: for the operator's eyes. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

const loggerName = 'linod.log';
const flushMs = 1000;
const tellEveryMs = 60_000;

/**
 * Owns the writer and whatever feeds it. At most one runs for a site at a time; who, is for the caller to decide.
 *
 * @example
 * await coroutine.start();
 * coroutine.accept(parseLogRequest(await layer.receive('linod_mysite.log')));
 */
export class LoggerCoroutine {
  readonly #options: LoggerCoroutineOptions;
  readonly #thresholds: Thresholds;
  #running: Running | undefined;
  #change: Promise<void> = Promise.resolve();
  #unanswered = 0;
  readonly #toldSenders = new ToldSenders();
  readonly #refusalsToldAt = new Map<string, number>();

  constructor(options: LoggerCoroutineOptions) {
    this.#options = options;
    this.#thresholds = options.thresholds ?? new LevelTree({});
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** How the writer is doing; undefined when it does not run. */
  get status(): (LogWriterStatus & { readonly unanswered: number }) | undefined {
    const running = this.#running;
    return running && { ...running.writer.status, unanswered: this.#unanswered };
  }

  /** Opens the log and announces itself to the senders. Does nothing when it runs already. */
  start(): Promise<void> {
    return this.#then(async () => {
      this.#running ??= await this.#start();
    });
  }

  /** Writes what it has, closes the log. Senders keep their records then. Safe to call twice. */
  stop(): Promise<void> {
    return this.#then(async () => {
      const running = this.#running;
      if (running === undefined) return;
      // Its own records take the short way once more; what does not, is in the spool.
      await this.#options.sender.flush(flushMs).catch(() => undefined);
      this.#running = undefined;
      this.#options.local?.connect(undefined);
      await running.adopter.stop();
      await running.writer.stop();
    });
  }

  /** Opens the log file anew, as on SIGHUP after it was rotated. */
  async reopen(): Promise<void> {
    await this.#running?.writer.reopen();
  }

  /** Takes a message. Returns at once. While the coroutine does not run, batches are left to their senders. */
  accept(request: LogRequest): void {
    if (request.type === 'log.record') writeForeign(this.#options.sender, request, this.#thresholds);
    else if (request.type !== 'log.server') {
      this.#tellLevels(request);
      this.#running?.writer.accept(request, this.#replyTo(request.reply_channel));
    }
  }

  /** A sender that was away, has rested or has just begun may not have heard of levels, if it is on another machine. */
  #tellLevels(request: Exclude<LogRequest, { type: 'log.record' | 'log.server' }>): void {
    const { sender, epoch, reply_channel: channel } = request;
    if (channel === '') return;
    const news = this.#toldSenders.news(`${sender} ${epoch}`, this.#options.levels?.() ?? []);
    if (news !== undefined) this.#options.layer.send(channel, news).catch(() => undefined);
  }

  async #start(): Promise<Running> {
    const { path, clock, positions, onTrouble, sender } = this.#options;
    const { timezone, format, sync, fence, orderMs, rotation } = this.#options;
    const spoolDirectories = this.#options.spoolDirectories ?? [join(dirname(path), 'spool')];
    const writer: LogWriter = new LogWriter({
      path,
      clock,
      positions,
      timezone,
      format,
      sync,
      fence,
      orderMs,
      spoolDirectories,
      rotation,
      onRotationTrouble: (error) =>
        sender.write(
          'WARNING',
          loggerName,
          `files of the log cannot be rotated, compressed or removed: ${tell(error)}`,
        ),
      onTrouble: (error) => {
        onTrouble?.(error);
        if (error === undefined) {
          sender.write('WARNING', loggerName, 'the log can be written again');
          void this.#announce();
        } else sender.write('ERROR', loggerName, `the log cannot be written: ${tell(error)}`);
      },
      onCheckpointTrouble: (error) => {
        if (error !== undefined)
          sender.write('WARNING', loggerName, `no checkpoint of the log: ${tell(error)}`);
      },
      onRefused: (refusal) => this.#tellRefusal(refusal),
      isSpooled: (label, epoch) => adopter.isSpooled(label, epoch),
    });
    const adopter = new SpoolAdopter({
      directories: spoolDirectories,
      clock,
      accept: (batch, reply) => writer.accept(batch, reply),
      onAdopted: ({ records, ...fields }) =>
        sender.write(
          'INFO',
          loggerName,
          `${records} ${records === 1 ? 'record' : 'records'} of an ended process taken from its spool`,
          fields,
        ),
      onTrouble: (error) => sender.write('WARNING', loggerName, tell(error)),
    });
    await writer.start();
    adopter.start();
    this.#options.local?.connect(writer);
    await this.#announce();
    return { writer, adopter };
  }

  /** Once a minute and sender, since a sender that is refused tries again. */
  #tellRefusal({ problem, ...fields }: Refusal): void {
    const { clock, sender } = this.#options;
    const toldAt = this.#refusalsToldAt.get(fields.sender) ?? Number.NEGATIVE_INFINITY;
    if (clock.now() - toldAt < tellEveryMs) return;
    this.#refusalsToldAt.set(fields.sender, clock.now());
    sender.write('WARNING', loggerName, `a batch was refused: ${problem}`, fields);
  }

  /** Senders that hear nothing of it find out by themselves within seconds, so failing is no error. */
  async #announce(): Promise<void> {
    const { layer, channel } = this.#options;
    if (!layer.extensions.has('groups')) return;
    await layer.groupSend(sendersGroup(channel), { type: 'log.ready' }).catch(() => undefined);
  }

  #replyTo(channel: string): Reply {
    return (answer: LogAnswer) => {
      // A sender that is gone, or a layer that is away: the sender asks again if it still needs to know.
      this.#options.layer.send(channel, answer).catch(() => {
        this.#unanswered++;
      });
    };
  }

  /** Starts and stops come one after the other. */
  #then(step: () => Promise<void>): Promise<void> {
    const done = this.#change.then(step);
    this.#change = done.catch(() => undefined);
    return done;
  }
}

interface Running {
  readonly writer: LogWriter;
  readonly adopter: SpoolAdopter;
}

function tell(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
