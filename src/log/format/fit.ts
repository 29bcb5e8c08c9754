// Records that are made short enough, with their structure kept.

import { maxRecordBytes, type RecordText } from './line-format.js';

/** What stands behind the head. */
export interface FittedText extends RecordText {
  /** Bytes that the record would have had, if it was cut. */
  readonly cut?: number | undefined;
}

/** A whole record with its `\n`. */
type Render = (head: string, text: FittedText) => string;

/**
 * A record of at most {@link maxRecordBytes} bytes. If it would have more, the message and the trace are
 * shortened, and fields without room are omitted; `cut` says what the record would have had.
 */
export function fit(head: string, text: RecordText, render: Render): string {
  const { message, fields, trace } = text;
  // A message of a gigabyte is not quoted only to be thrown away.
  const isHuge = message.length > maxRecordBytes || (trace?.length ?? 0) > maxRecordBytes;
  const record = isHuge ? '' : render(head, text);
  // No character takes more than three bytes for each of its UTF-16 units.
  if (!isHuge && record.length * 3 < maxRecordBytes) return record;
  const alone = Buffer.byteLength(render(head, { message: '', fields }));
  const cut = isHuge
    ? Buffer.byteLength(message) + Buffer.byteLength(trace ?? '') + alone
    : Buffer.byteLength(record);
  if (cut <= maxRecordBytes) return record;
  const kept = alone < maxRecordBytes / 2 ? fields : undefined;
  for (let length = maxRecordBytes; ; length = Math.floor(length * 0.9)) {
    const shorter = { message: beginOf(message, length), trace: trace && beginOf(trace, length) };
    const fitting = render(head, { ...shorter, fields: kept, cut });
    if (Buffer.byteLength(fitting) <= maxRecordBytes) return fitting;
  }
}

function beginOf(text: string, length: number): string {
  if (text.length <= length) return text;
  // Not between the halves of one character.
  const isHalf = (text.charCodeAt(length - 1) & 0xfc00) === 0xd800;
  return `${text.slice(0, isHalf ? length - 1 : length)} …`;
}
