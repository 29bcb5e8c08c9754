// The fixed parts of a format's heads, ready to be compared with bytes.

import { Pattern } from '../bytes.js';
import { type LevelName, LogLevels } from '../levels.js';
import type { LineFormat } from './line-format.js';

/** A level with all that stands between the time and what follows `beforeSender`. */
export interface LevelMark {
  readonly name: LevelName;
  readonly pattern: Pattern;
}

/** A {@link import('./line-format.js').HeadLayout} as bytes. */
export interface HeadBytes {
  readonly opening: Pattern;
  readonly timeLength: number;
  readonly beforeLevel: Pattern;
  readonly beforeSender: Pattern;
  /** By the first byte of their names. */
  readonly levels: ReadonlyArray<LevelMark | undefined>;
  readonly isLoggerFirst: boolean;
  readonly beforeNumber: Pattern;
  readonly afterNumber: Pattern;
  /** What stands between number and logger, and what instead of both where there is no sender. */
  readonly numberToLogger: Pattern;
  readonly noSenderToLogger: Pattern;
  readonly afterLogger: Pattern;
  readonly isSpaced: boolean;
  /** The last byte of each record's line; undefined for any. */
  readonly lastByte: number | undefined;
}

const known = new Map<LineFormat, HeadBytes>();

export function headBytes(format: LineFormat): HeadBytes {
  let bytes = known.get(format);
  if (bytes === undefined) {
    bytes = headBytesOf(format);
    known.set(format, bytes);
  }
  return bytes;
}

function headBytesOf({ layout }: LineFormat): HeadBytes {
  const { beforeLevel, beforeSender } = layout;
  const levels: Array<LevelMark | undefined> = new Array(256).fill(undefined);
  for (const { value: name } of LogLevels)
    levels[name.charCodeAt(0)] = { name, pattern: Pattern.of(beforeLevel + name + beforeSender) };
  return {
    opening: Pattern.of(layout.opening),
    timeLength: layout.timeLength,
    beforeLevel: Pattern.of(beforeLevel),
    beforeSender: Pattern.of(beforeSender),
    levels,
    isLoggerFirst: layout.isLoggerFirst,
    beforeNumber: Pattern.of(layout.beforeNumber),
    afterNumber: Pattern.of(layout.afterNumber),
    numberToLogger: Pattern.of(layout.afterNumber + layout.beforeLogger),
    noSenderToLogger: Pattern.of(layout.afterNoSender + layout.beforeLogger),
    afterLogger: Pattern.of(layout.afterLogger),
    isSpaced: layout.isSpaced,
    lastByte: layout.closing === '' ? undefined : layout.closing.charCodeAt(0),
  };
}
