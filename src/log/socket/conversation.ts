// Reads what one client sends on the site's socket: lines of text or JSON, or the frames of Python's
// SocketHandler.

import type { LogRecord } from '../messages.js';
import { FrameSplitter, NoFrameError } from './frames.js';
import { type Line, LineRecords, LineSplitter } from './lines.js';
import { objectOfPickle, recordOfObject } from './object-record.js';
import { BadPickleError, readPickle } from './pickle.js';

export interface ConversationOptions {
  readonly onRecord: (record: LogRecord) => void;
  /** Called for input that could not be read. The conversation continues. */
  readonly onProblem: (problem: unknown) => void;
  /** The client asks for an answer once everything so far is safe. */
  readonly onFlush: () => void;
}

const openBrace = 0x7b;
/** After this many frames in a row that are no pickles, the client sends garbage and is disconnected. */
const maxBadFrames = 100;

/**
 * The first byte decides: a zero begins the length of a frame, since no frame is longer than 16 MB and no
 * text has a zero. Of lines, each decides for itself: one that begins with `{` is JSON, others are text.
 */
export class Conversation {
  readonly #options: ConversationOptions;
  #frames: FrameSplitter | undefined;
  readonly #lines = new LineSplitter();
  readonly #records: LineRecords;
  #hasBegun = false;
  #badFrames = 0;

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#records = new LineRecords(({ text, level }) =>
      this.#options.onRecord({ type: 'log.record', name: 'socket', message: text, level }),
    );
  }

  /** Reads bytes. @throws NoFrameError (`LINOD_ERR_NO_FRAME`), after which nothing more can be read */
  push(chunk: Buffer): void {
    if (!this.#hasBegun && chunk[0] === 0)
      this.#frames = new FrameSplitter((length) => this.#skipped(length));
    this.#hasBegun = true;
    if (this.#frames === undefined) for (const line of this.#lines.push(chunk)) this.#line(line);
    else for (const frame of this.#frames.push(chunk)) this.#frame(frame);
  }

  /** Nothing has arrived for a while, so the last text is complete. */
  pause(): void {
    this.#records.flush();
  }

  /** The client has ended: a last line may lack its newline. */
  end(): void {
    const last = this.#frames === undefined ? this.#lines.end() : undefined;
    if (last !== undefined) this.#line(last);
    this.#records.flush();
    if (this.#frames !== undefined && !this.#frames.isBetweenFrames)
      this.#options.onProblem(new BadPickleError('the connection ended in the middle of a frame'));
  }

  #skipped(length: number): void {
    this.#options.onProblem(
      new BadPickleError(`a frame of ${length} bytes was skipped; 1 MiB is read at most`),
    );
  }

  #line(line: Line): void {
    const object =
      line.bytes[0] === openBrace && line.size === line.bytes.length ? parseObject(line.bytes) : undefined;
    if (object === undefined) {
      this.#records.add(line);
      return;
    }
    this.#records.flush();
    if (object.flush === true) this.#options.onFlush();
    else this.#object(object);
  }

  #frame(frame: Buffer): void {
    try {
      const object = objectOfPickle(readPickle(frame));
      if (object === undefined) throw new BadPickleError('expected the dict of a log record');
      this.#badFrames = 0;
      this.#object(object);
    } catch (error) {
      this.#options.onProblem(error);
      this.#badFrames = error instanceof BadPickleError ? this.#badFrames + 1 : 0;
      if (this.#badFrames === maxBadFrames)
        throw new NoFrameError(`${maxBadFrames} frames in a row could not be read`);
    }
  }

  #object(object: Record<string, unknown>): void {
    try {
      this.#options.onRecord(recordOfObject(object));
    } catch (error) {
      this.#options.onProblem(error);
    }
  }
}

/** Undefined for text that only resembles JSON. */
function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const found: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof found === 'object' && found !== null ? { ...found } : undefined;
  } catch {
    return undefined;
  }
}
