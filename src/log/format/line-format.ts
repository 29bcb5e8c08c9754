// What a format of lino.log consists of: how a record is written, and how its bytes are found and read back.

import type { LevelName } from '../../base/log-levels.js';
import type { FormatName } from '../../site/log-settings.js';
import type { Fields } from '../fields.js';
import type { TimeLayout } from './timestamp.js';

/** What is longer is cut, and the record says so. */
export const maxRecordBytes = 64 * 1024;

/** What a record consists of, but for its head. */
export interface RecordText {
  readonly message: string;
  readonly fields?: Fields | undefined;
  /** Lines that follow the message, such as an error's stack. */
  readonly trace?: string | undefined;
}

/**
 * One way to write records. What all formats have in common, so that a file may change its format at any
 * record:
 *
 * - The first bytes of a record show its format: a digit (`text`, and `lino` if the fifth byte is one, too),
 *   `{"time":"` or `time=`.
 * - A record ends at the first `\n` that does not follow a space. In `json` and `logfmt` that is its first
 *   `\n`. In the others a space before `\n` says that a continuation line follows, which begins with four
 *   spaces. So the file alone shows whether a record is complete, also after a crash in the middle of a write.
 * - A record is UTF-8 of at most {@link maxRecordBytes} bytes and has no control characters but tabs.
 */
export interface LineFormat {
  readonly name: FormatName;
  /** How it writes an instant. */
  readonly time: TimeLayout;

  /**
   * The begin of a record, up to its message.
   *
   * @param time as `Timestamps` writes it in this format's layout
   * @param sender a label such as `web[812]`, or `noSender`
   * @param number the sender's number for the record; 0 for a note of the writer
   * @param logger as `loggerName` returns it
   */
  head(time: string, level: LevelName, sender: string, number: number, logger: string): string;

  /** A whole record, with its final `\n`. Never throws. @param head as {@link head} returns it */
  record(head: string, text: RecordText): string;

  /**
   * Matches a head where a record begins: sticky, with groups for time, level, sender and number (both left
   * out in a note), and logger, in this order.
   */
  readonly headPattern: RegExp;

  /**
   * Reads what follows the head of a whole record, with or without its final `\n`; undefined when that is
   * damaged.
   */
  readText(record: string, head: Head): RecordText | undefined;
}

/** What the head of a record says. */
export interface Head {
  readonly format: LineFormat;
  /** As it stands there, in the format's own way; see `Instants`. */
  readonly time: string;
  readonly level: LevelName;
  /** The sender's label; undefined for a note of the log writer. */
  readonly sender: string | undefined;
  /** The sender's number for the record; 0 for a note. */
  readonly number: number;
  readonly logger: string;
  /** Where the rest of the record begins, in the text that was given. */
  readonly end: number;
}

/** The groups of which the formats put their heads together. */
export const headParts = {
  clock: '(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d',
  offset: '[+-](?:[01]\\d|2[0-3]):[0-5]\\d',
  level: '(DEBUG|INFO|WARNING|ERROR|CRITICAL)',
  sender: '([\\w.@+-]{1,60}\\[\\d{1,10}\\])',
  number: '([1-9]\\d{0,15})',
  logger: '([\\w.@+-]{1,120})',
} as const;

/**
 * A record of the log as a value. In the formats for people, `text` and `lino`, the message has the fields
 * and the trace.
 */
export interface ParsedRecord extends Head, RecordText {}
