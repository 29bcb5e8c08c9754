// The logger coroutine: receives the log's messages, has them written, and answers.

import type { ChannelLayer } from '../../../channels/index.js';
import { LevelTree } from '../levels/level-tree.js';
import type { LevelOverride, LogLevelsMessage } from '../levels/overrides.js';
import { type LogAnswer, type LogRecords, type LogRequest, sendersGroup } from '../messages.js';
import type { LayerTransport } from '../sender/layer-transport.js';
import type { LogSender } from '../sender/sender.js';
import type { Reply } from '../sender/transport.js';
import { type Thresholds, writeForeign } from '../socket/foreign-record.js';
import { LogWriter, type LogWriterOptions, type Refusal } from './writer.js';

type Told = 'onTrouble' | 'onCheckpointTrouble' | 'onRotationTrouble' | 'onRefused';

export interface LoggerCoroutineOptions extends Omit<LogWriterOptions, Told> {
  readonly layer: ChannelLayer;
  /** The log's channel, `linod_mysite.log`. */
  readonly channel: string;
  /** What was said about levels at run time; senders are told. */
  readonly levels?: (() => readonly LevelOverride[]) | undefined;
  /** Which records are wanted of processes that have no sender; default: INFO and above. */
  readonly thresholds?: Thresholds | undefined;
  /** This process's own sender. It writes down single records of processes that have none, and what goes wrong here. */
  readonly sender: LogSender;
  /** The sender's transport, if its records are to take the short way while the coroutine runs here. */
  readonly local?: LayerTransport | undefined;
  /** Told once when the log cannot be written, and with undefined when it can again: for the operator's eyes. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

const loggerName = 'linod.log';
const flushMs = 1000;
const tellEveryMs = 60_000;
const maxTold = 10_000;

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
  #writer: LogWriter | undefined;
  #change: Promise<void> = Promise.resolve();
  /** When the latest levels were set that each sender has been told. */
  readonly #toldLevels = new Map<string, number>();
  readonly #refusalsToldAt = new Map<string, number>();

  constructor(options: LoggerCoroutineOptions) {
    this.#options = options;
    this.#thresholds = options.thresholds ?? new LevelTree({});
  }

  /** Opens the log and announces itself to the senders. Does nothing when it runs already. */
  start(): Promise<void> {
    return this.#then(async () => {
      if (this.#writer !== undefined) return;
      const writer = this.#newWriter();
      await writer.start();
      this.#options.local?.connect(writer);
      this.#writer = writer;
      await this.#announce();
    });
  }

  /** Writes what it has, closes the log. Senders keep their records then. Safe to call twice. */
  stop(): Promise<void> {
    return this.#then(async () => {
      const writer = this.#writer;
      if (writer === undefined) return;
      // Its own records take the short way once more; what does not, is in the spool.
      await this.#options.sender.flush(flushMs).catch(() => undefined);
      this.#writer = undefined;
      this.#options.local?.connect(undefined);
      await writer.stop();
    });
  }

  /** Opens the log file anew, as on SIGHUP after it was rotated. */
  async reopen(): Promise<void> {
    await this.#writer?.reopen();
  }

  /** Takes a message. Returns at once. While the coroutine does not run, batches are left to their senders. */
  accept(request: LogRequest): void {
    if (request.type === 'log.record') writeForeign(this.#options.sender, request, this.#thresholds);
    if (request.type !== 'log.records') return;
    this.#tellLevels(request);
    this.#writer?.accept(request, this.#replyTo(request.reply_channel));
  }

  /** A sender that was away, has rested or has just begun may not have heard of levels, if it is on another machine. */
  #tellLevels({ sender, epoch, reply_channel: channel }: LogRecords): void {
    const levels = this.#options.levels?.() ?? [];
    const latest = Math.max(0, ...levels.map(({ at }) => at));
    const key = `${sender} ${epoch}`;
    if (latest <= (this.#toldLevels.get(key) ?? 0)) return;
    // Forgetting them costs a message each.
    if (this.#toldLevels.size >= maxTold) this.#toldLevels.clear();
    this.#toldLevels.set(key, latest);
    const news: LogLevelsMessage = { type: 'log.levels', levels: [...levels] };
    this.#options.layer.send(channel, news).catch(() => undefined);
  }

  #newWriter(): LogWriter {
    const { sender, onTrouble } = this.#options;
    const warn = (text: string) => sender.write('WARNING', loggerName, text);
    return new LogWriter({
      ...this.#options,
      onRotationTrouble: (error) =>
        warn(`files of the log cannot be rotated, compressed or removed: ${tell(error)}`),
      onTrouble: (error) => {
        onTrouble?.(error);
        if (error !== undefined)
          sender.write('ERROR', loggerName, `the log cannot be written: ${tell(error)}`);
        else {
          warn('the log can be written again');
          void this.#announce();
        }
      },
      onCheckpointTrouble: (error) => {
        if (error !== undefined) warn(`no checkpoint of the log: ${tell(error)}`);
      },
      onRefused: (refusal) => this.#tellRefusal(refusal),
    });
  }

  /** Once a minute and sender, since a sender that is refused tries again. */
  #tellRefusal({ problem, ...fields }: Refusal): void {
    const { clock, sender } = this.#options;
    const toldAt = this.#refusalsToldAt.get(fields.sender) ?? Number.NEGATIVE_INFINITY;
    if (clock.now() - toldAt < tellEveryMs) return;
    if (this.#refusalsToldAt.size >= maxTold) this.#refusalsToldAt.clear();
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
      this.#options.layer.send(channel, answer).catch(() => undefined);
    };
  }

  /** Starts and stops come one after the other. */
  #then(step: () => Promise<void>): Promise<void> {
    const done = this.#change.then(step);
    this.#change = done.catch(() => undefined);
    return done;
  }
}

function tell(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
