// What a format of lino.log consists of: how a record is written, and how its bytes are found and read back.

import type { Fields } from '../fields.js';
import type { LevelName } from '../levels.js';
import type { TimeLayout } from '../timestamp.js';

/** The formats of a log, as the setting `logFormat` names them. */
export const formatNames = ['text', 'lino', 'json', 'logfmt'] as const;
export type FormatName = (typeof formatNames)[number];

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
 * One way to write records. What all formats have in common, so that a file may change its format at any record:
 *
 * - The first bytes of a record tell its format: a digit (`text`, and `lino` if the fifth byte is one, too),
 *   `{"time":"` or `time=`.
 * - A record ends at the first `\n` that does not follow a space. In `json` and `logfmt` that is its first `\n`. In the
 *   others a space before `\n` says that a continuation line follows, which begins with four spaces. So whether a
 *   record is complete can be told from the file alone, also after a crash in the middle of a write.
 * - A record is UTF-8 of at most {@link maxRecordBytes} bytes and has no control characters but tabs.
 */
export interface LineFormat {
  readonly name: FormatName;
  /** How it writes an instant. */
  readonly time: TimeLayout;
  /** Where the parts of a head stand. */
  readonly layout: HeadLayout;

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

  /** Reads a whole record, with or without its final `\n`; undefined when it is none of this format. */
  parse(record: string): ParsedRecord | undefined;
}

/** The fixed parts of a head. Between them stand, in this order: time, level, sender, number, logger. */
export interface HeadLayout {
  /** What comes before the time. */
  readonly opening: string;
  readonly timeLength: number;
  readonly beforeLevel: string;
  readonly beforeSender: string;
  /** Whether the logger's name and a space come between `beforeSender` and the sender. */
  readonly isLoggerFirst: boolean;
  readonly beforeNumber: string;
  readonly afterNumber: string;
  /** What a note has behind its `-` instead of a number and what is around it. */
  readonly afterNoSender: string;
  /** What comes then, before the logger's name; where that stands first, what comes instead of it. */
  readonly beforeLogger: string;
  readonly afterLogger: string;
  /** Whether a space follows the head, unless the line ends with it. */
  readonly isSpaced: boolean;
  /** How the line ends, if it always ends so. */
  readonly closing: string;
  /** Whether a record may have continuation lines. */
  readonly isMultiline: boolean;
}

/** A record of the log as a value. */
export interface ParsedRecord {
  /** As it stands there, in the format's own way; see `recordInstant`. */
  readonly time: string;
  readonly level: LevelName;
  /** The sender's label; undefined for a note of the log writer. */
  readonly sender: string | undefined;
  /** The sender's number for the record; 0 for a note. */
  readonly number: number;
  readonly logger: string;
  /** In the formats for people, `text` and `lino`, this holds the fields and the trace, too. */
  readonly message: string;
  readonly fields?: Fields | undefined;
  readonly trace?: string | undefined;
}
