// The logger coroutine: receives the messages of the log's channel, passes them to the writer, and replies.

import type { ChannelLayer } from '../../../channels/index.js';
import { untraced } from '../../../channels/tracing/peer.js';
import { LevelTree } from '../levels/level-tree.js';
import type { LevelOverride, LogLevelsMessage } from '../levels/overrides.js';
import { type LogAnswer, type LogRecords, type LogRequest, sendersGroup } from '../messages.js';
import type { LayerTransport } from '../sender/layer-transport.js';
import type { LogSender } from '../sender/sender.js';
import type { Reply } from '../sender/transport.js';
import { type Thresholds, writeForeign } from '../socket/foreign-record.js';
import { LogWriter, type LogWriterOptions, type Refusal } from './writer.js';

/** The callbacks that the coroutine implements itself. */
type Callbacks = 'onTrouble' | 'onCheckpointTrouble' | 'onRotationTrouble' | 'onRefused';

export interface LoggerCoroutineOptions extends Omit<LogWriterOptions, Callbacks> {
  readonly layer: ChannelLayer;
  /** The log's channel, `linod_mysite.log`. */
  readonly channel: string;
  /** The levels that were set at run time. The coroutine sends them to senders that may not know them. */
  readonly levels?: (() => readonly LevelOverride[]) | undefined;
  /** The levels for processes without a sender; default: INFO and above. */
  readonly thresholds?: Thresholds | undefined;
  /**
   * This process's own sender. It logs the records of processes without a sender, and the coroutine's own
   * warnings.
   */
  readonly sender: LogSender;
  /** The sender's transport: while the coroutine runs, it passes records directly to the writer. */
  readonly local?: LayerTransport | undefined;
  /** Called once when the log cannot be written, and with undefined when it can again. */
  readonly onTrouble?: ((error: unknown) => void) | undefined;
}

const loggerName = 'linod.log';
const flushMs = 1000;
/** Minimum time between two warnings about refused batches of one sender. */
const warnEveryMs = 60_000;
/** Maximum senders that each of the two maps remembers. */
const maxRemembered = 10_000;

/**
 * Owns the writer, and connects it with the channel layer. The caller makes sure that a site has at most one.
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
  /** For each sender, when the newest levels were set that it has been sent. */
  readonly #sentLevelsAt = new Map<string, number>();
  readonly #refusalsLoggedAt = new Map<string, number>();

  constructor(options: LoggerCoroutineOptions) {
    this.#options = options;
    this.#thresholds = options.thresholds ?? new LevelTree({});
  }

  /** Opens the log, and announces itself to the senders. Does nothing when it runs already. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#writer !== undefined) return;
      const writer = this.#newWriter();
      await writer.start();
      this.#options.local?.connect(writer);
      this.#writer = writer;
      await this.#announce();
    });
  }

  /**
   * Writes what it has accepted, and closes the log. From then on, senders keep their records. Safe to call
   * twice.
   */
  stop(): Promise<void> {
    return this.#inTurn(async () => {
      const writer = this.#writer;
      if (writer === undefined) return;
      // The last chance for its own records. What is not written stays in the spool.
      await this.#options.sender.flush(flushMs).catch(() => undefined);
      this.#writer = undefined;
      this.#options.local?.connect(undefined);
      await writer.stop();
    });
  }

  /** Opens the log file again, as on SIGHUP after a rotation. */
  async reopen(): Promise<void> {
    await this.#writer?.reopen();
  }

  /** Accepts a message. Returns at once. While the coroutine does not run, senders keep their batches. */
  accept(request: LogRequest): void {
    if (request.type === 'log.record') writeForeign(this.#options.sender, request, this.#thresholds);
    if (request.type !== 'log.records') return;
    this.#sendLevels(request);
    this.#writer?.accept(request, this.#replyTo(request.reply_channel));
  }

  /**
   * A sender on another machine that was suspended or has just started may have missed a change of levels.
   */
  #sendLevels({ sender, epoch, reply_channel: channel }: LogRecords): void {
    const levels = this.#options.levels?.() ?? [];
    const latest = Math.max(0, ...levels.map(({ at }) => at));
    const key = `${sender} ${epoch}`;
    if (latest <= (this.#sentLevelsAt.get(key) ?? 0)) return;
    // Clearing the map costs one more message to each sender.
    if (this.#sentLevelsAt.size >= maxRemembered) this.#sentLevelsAt.clear();
    this.#sentLevelsAt.set(key, latest);
    const message: LogLevelsMessage = { type: 'log.levels', levels: [...levels] };
    untraced(() => this.#options.layer.send(channel, message)).catch(() => undefined);
  }

  #newWriter(): LogWriter {
    const { sender, onTrouble } = this.#options;
    const warn = (text: string) => sender.write('WARNING', loggerName, text);
    return new LogWriter({
      ...this.#options,
      onRotationTrouble: (error) =>
        warn(`log files cannot be rotated, compressed or removed: ${errorText(error)}`),
      onTrouble: (error) => {
        onTrouble?.(error);
        if (error !== undefined)
          sender.write('ERROR', loggerName, `the log cannot be written: ${errorText(error)}`);
        else {
          warn('the log can be written again');
          void this.#announce();
        }
      },
      onCheckpointTrouble: (error) => {
        if (error !== undefined)
          warn(`the checkpoint of the log cannot be saved or read: ${errorText(error)}`);
      },
      onRefused: (refusal) => this.#logRefusal(refusal),
    });
  }

  /** Once a minute for each sender, since a refused sender tries again. */
  #logRefusal({ problem, ...fields }: Refusal): void {
    const { clock, sender } = this.#options;
    const loggedAt = this.#refusalsLoggedAt.get(fields.sender) ?? Number.NEGATIVE_INFINITY;
    if (clock.now() - loggedAt < warnEveryMs) return;
    if (this.#refusalsLoggedAt.size >= maxRemembered) this.#refusalsLoggedAt.clear();
    this.#refusalsLoggedAt.set(fields.sender, clock.now());
    sender.write('WARNING', loggerName, `a batch was refused: ${problem}`, fields);
  }

  /** A failure is no error: senders that miss this find out by a probe within seconds. */
  async #announce(): Promise<void> {
    const { layer, channel } = this.#options;
    if (!layer.extensions.has('groups')) return;
    await layer.groupSend(sendersGroup(channel), { type: 'log.ready' }).catch(() => undefined);
  }

  #replyTo(channel: string): Reply {
    return (answer: LogAnswer) => {
      // The sender is gone, or the layer is lost. A sender that still needs the answer repeats its batch.
      untraced(() => this.#options.layer.send(channel, answer)).catch(() => undefined);
    };
  }

  /** Runs one start or stop after the other. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#change.then(step);
    this.#change = done.catch(() => undefined);
    return done;
  }
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
