// The messages on `linod_<site>`.

import * as v from 'valibot';
import type { Received } from '../../channels/index.js';
import { parserOf } from '../base/parse-message.js';

const reply_channel = v.optional(v.pipe(v.string(), v.nonEmpty()));
/** A rule's number, or its name as the commands accept it. */
const rule = v.union([
  v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  v.pipe(v.string(), v.nonEmpty(), v.maxLength(200)),
]);
const by = v.optional(v.pipe(v.string(), v.maxLength(200)), 'a message');

function message<T extends string, E extends v.ObjectEntries>(type: T, entries: E) {
  return v.object({ type: v.literal(type), ...entries });
}

/** The schema of each message, by type. */
const schemas = {
  /** Start the logger coroutine. */
  'log.server': message('log.server', { by, reply_channel }),
  /** Start the task coroutine. The next two are the original's older and newer names for it. */
  'run.system.tasks': message('run.system.tasks', { by, reply_channel }),
  'run.background.tasks': message('run.background.tasks', { by, reply_channel }),
  'run.schedule': message('run.schedule', { by, reply_channel }),
  /** Answer with the status of all tasks. */
  'job.list': message('job.list', { reply_channel: v.string() }),
  /** Run a rule now. */
  'job.run': message('job.run', { rule, args: v.optional(v.unknown()), by, reply_channel }),
  /** Answer with the current state of a request for a run. */
  'job.get': message('job.get', {
    request: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
    reply_channel: v.string(),
  }),
  /** End the current run of a rule, and drop requests for runs that have not begun. */
  'job.cancel': message('job.cancel', { rule, by, reply_channel }),
  /**
   * Push to a user's subscriptions, or to everybody's. The field names are the original's, which sends user
   * numbers as numbers. The push queue checks `data`.
   */
  'send.push': message('send.push', {
    user_id: v.optional(v.nullable(v.union([v.string(), v.pipe(v.number(), v.transform(String))])), null),
    data: v.union([v.string(), v.record(v.string(), v.unknown())]),
    urgency: v.optional(v.picklist(['very-low', 'low', 'normal', 'high'])),
    topic: v.optional(v.string()),
    ttl: v.optional(v.number()),
    by,
    reply_channel,
  }),
  /** The rules or the requests have changed: poll now. */
  'rules.changed': message('rules.changed', {}),
  /** A worker has an order: see whether it is this one. */
  'workers.changed': message('workers.changed', {}),
  /** Answer with this worker's id and health. */
  'worker.ping': message('worker.ping', { reply_channel: v.string() }),
} as const;

/** A message of one type. */
export type Of<T extends keyof typeof schemas> = v.InferOutput<(typeof schemas)[T]>;

/** Any of these messages. */
export type TaskMessage = Of<keyof typeof schemas>;

/** The parser of each message, by type. */
export const parsers = Object.fromEntries(
  Object.entries(schemas).map(([type, schema]) => [type, parserOf(schema)]),
) as unknown as { readonly [T in keyof typeof schemas]: (received: Received) => Of<T> };
