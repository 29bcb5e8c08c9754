// The messages between senders and the logger coroutine.

import * as v from 'valibot';
import type { Received } from '../../channels/index.js';
import { parserOf } from '../base/parse-message.js';
import { decodeVisibly } from './format/visible-utf8.js';
import { isSenderLabel } from './names.js';

const number = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const positive = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const sender = v.pipe(v.string(), v.check(isSenderLabel, 'a label such as "web[812]"'));
const epoch = v.pipe(v.string(), v.regex(/^[\w.-]{1,60}$/));
const owner = v.object({ host: v.string(), pid: v.number(), start: v.string() });
const bytes = v.union([
  v.instance(Uint8Array),
  // Layers whose serializer is JSON carry text only.
  v.pipe(
    v.string(),
    v.transform((text): Uint8Array => Buffer.from(text)),
  ),
]);

/** Text, or bytes that may be text: programs send what they have read, in any encoding. */
const text = v.union([
  v.string(),
  v.pipe(
    v.instance(Uint8Array),
    v.transform((bytes): string => decodeVisibly(bytes)),
  ),
]);

/** Start the logger coroutine. */
const logServer = v.object({ type: v.literal('log.server') });

/**
 * One record from a process that has no sender of its own, such as a Python one. The names are those of
 * Python's LogRecord; `time` is another name for `created`. An unreadable time is ignored.
 */
const logRecord = v.object({
  type: v.literal('log.record'),
  name: v.optional(v.string(), 'root'),
  message: v.optional(text),
  msg: v.optional(text),
  level: v.optional(v.union([v.string(), v.number()])),
  levelname: v.optional(v.string()),
  levelno: v.optional(v.number()),
  created: v.optional(v.unknown()),
  time: v.optional(v.unknown()),
  process: v.optional(v.union([v.string(), v.number()])),
  processName: v.optional(v.string()),
  fields: v.optional(v.record(v.string(), v.unknown())),
  exc_text: v.optional(v.nullable(text)),
  stack_info: v.optional(v.nullable(text)),
});

/** A batch of finished lines. */
const logRecords = v.object({
  type: v.literal('log.records'),
  /** The label in each line, `web[812]`. */
  sender,
  /** Distinguishes this sender from an earlier one with the same label. */
  epoch,
  /** The process, so that the writer can check whether it is alive. */
  owner,
  /** Numbers of the records: `first` … `first + count - 1`. */
  first: positive,
  count: positive,
  /** The last number that the sender knows to be on disk. */
  acked: number,
  /** The lowest number that the sender still has. Lower ones that are not written are lost. */
  base: positive,
  bytes,
  reply_channel: v.string(),
});

/** Everything of this sender up to `last` is on disk. */
const logAck = v.object({ type: v.literal('log.ack'), sender, epoch, last: number });
/** A logger coroutine has started. Sent to the group of all senders. */
const logReady = v.object({ type: v.literal('log.ready') });

export type LogServer = v.InferOutput<typeof logServer>;
export type LogRecord = v.InferOutput<typeof logRecord>;
export type LogRecords = v.InferOutput<typeof logRecords>;
export type LogAck = v.InferOutput<typeof logAck>;
export type LogReady = v.InferOutput<typeof logReady>;

/** The messages on the log's channel, and on the site's control channel. */
export type LogRequest = LogServer | LogRecord | LogRecords;
/** The messages on a sender's own channel. */
export type LogAnswer = LogAck | LogReady;

/** The schemas of all {@link LogRequest}s, for a consumer that combines the messages of several rooms. */
export const logRequestSchemas = [logServer, logRecord, logRecords] as const;

const request = v.variant('type', [...logRequestSchemas]);
const answer = v.variant('type', [logAck, logReady]);

/** @throws BadMessageError (`LINOD_ERR_BAD_MESSAGE`) */
export const parseLogRequest: (received: Received) => LogRequest = parserOf(request);

/** @throws BadMessageError (`LINOD_ERR_BAD_MESSAGE`) */
export const parseLogAnswer: (received: Received) => LogAnswer = parserOf(answer);

/** The prefix of the channels on which senders wait for answers. */
export const replyPrefix = 'log';

/** The group in which the senders of a log's channel wait for `log.ready`. */
export function sendersGroup(channel: string): string {
  return `${channel}.senders`;
}
