// Records of one line, in which texts are quoted: made short enough with their structure kept.

import { maxRecordBytes, type RecordText } from './line-format.js';

/** What stands behind the head. */
export interface OneLineText extends RecordText {
  /** Bytes that the record would have had, if it was cut. */
  readonly cut?: number | undefined;
}

/**
 * A record of at most {@link maxRecordBytes} bytes. If it would have more, the message and the trace are shortened, and
 * fields that find no room are left out; `cut` tells what the record would have had.
 *
 * @param render the whole record with its `\n`
 */
export function formatOneLine(text: RecordText, render: (text: OneLineText) => string): string {
  const { message, fields, trace } = text;
  // A message of a gigabyte is not quoted only to be thrown away.
  const isHuge = message.length > maxRecordBytes || (trace?.length ?? 0) > maxRecordBytes;
  const record = isHuge ? '' : render(text);
  if (!isHuge && record.length * 3 < maxRecordBytes) return record;
  const cut = isHuge ? sizeOf(text, render) : Buffer.byteLength(record);
  if (cut <= maxRecordBytes) return record;
  const alone = fields && Buffer.byteLength(render({ message: '', fields }));
  const kept = alone !== undefined && alone < maxRecordBytes / 2 ? fields : undefined;
  for (let length = maxRecordBytes; ; length = Math.floor(length * 0.9)) {
    const shorter = {
      message: beginOf(message, length),
      fields: kept,
      trace: trace && beginOf(trace, length),
      cut,
    };
    const fitting = render(shorter);
    if (Buffer.byteLength(fitting) <= maxRecordBytes) return fitting;
  }
}

/** About what a record would have that is not made. */
function sizeOf({ message, fields, trace = '' }: RecordText, render: (text: OneLineText) => string): number {
  const rest = render({ message: '', fields });
  return Buffer.byteLength(message) + Buffer.byteLength(trace) + Buffer.byteLength(rest);
}

function beginOf(text: string, length: number): string {
  if (text.length <= length) return text;
  // Not between the halves of one character.
  const isHalf = (text.charCodeAt(length - 1) & 0xfc00) === 0xd800;
  return `${text.slice(0, isHalf ? length - 1 : length)} …`;
}
