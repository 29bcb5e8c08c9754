// Records of one line, in which texts are quoted: made short enough with their structure kept.

import type { Fields } from '../fields.js';
import { maxRecordBytes, type RecordText } from './line-format.js';
import { quoteSafely } from './unsafe.js';

/** What stands behind the head. */
export interface OneLineText extends RecordText {
  /** Bytes that the record would have had, if it was cut. */
  readonly cut?: number | undefined;
}

const remark = ' …';

/**
 * A record of at most {@link maxRecordBytes} bytes. If it would have more, the message and the trace are shortened, and
 * fields that find no room are left out; `cut` tells what the record would have had.
 *
 * @param render the whole record with its `\n`
 */
export function formatOneLine(text: RecordText, render: (text: OneLineText) => string): string {
  const { message, trace } = text;
  const isHuge = message.length > maxRecordBytes || (trace?.length ?? 0) > maxRecordBytes;
  if (!isHuge) {
    const record = render(text);
    if (record.length * 3 < maxRecordBytes || Buffer.byteLength(record) <= maxRecordBytes) return record;
    return shorten(text, Buffer.byteLength(record), render);
  }
  // A message of a gigabyte is not quoted only to be thrown away.
  const rest = render({ message: '', fields: text.fields });
  const size = Buffer.byteLength(message) + Buffer.byteLength(trace ?? '') + Buffer.byteLength(rest);
  return shorten(text, size, render);
}

function shorten(
  { message, fields, trace }: RecordText,
  cut: number,
  render: (text: OneLineText) => string,
): string {
  const bytesOf = (text: RecordText) => Buffer.byteLength(render({ ...text, cut }));
  const fitted: { message: string; fields?: Fields; trace?: string } = { message: '' };
  fitted.message = shortened(message, maxRecordBytes - bytesOf(fitted));
  if (fields !== undefined && bytesOf({ ...fitted, fields }) <= maxRecordBytes) fitted.fields = fields;
  if (trace !== undefined) {
    const room = maxRecordBytes - bytesOf({ ...fitted, trace: '' });
    if (room > Buffer.byteLength(remark)) fitted.trace = shortened(trace, room);
  }
  return render({ ...fitted, cut });
}

/** The begin of a text that takes at most so many bytes when it is quoted, without its quotes. */
function shortened(text: string, room: number): string {
  let length = Math.min(text.length, room);
  for (;;) {
    // Not between the halves of one character.
    if (length > 0 && (text.charCodeAt(length - 1) & 0xfc00) === 0xd800) length--;
    const part = length < text.length ? text.slice(0, length) + remark : text;
    const bytes = Buffer.byteLength(quoteSafely(part)) - 2;
    if (bytes <= room || length === 0) return part;
    length = Math.min(length - 1, Math.floor((length * room) / bytes));
  }
}
