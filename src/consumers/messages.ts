// The messages on `linod_<site>`.

import * as v from 'valibot';

const replyChannel = v.optional(v.pipe(v.string(), v.nonEmpty()));
/** Its number, or its name as the commands take it. */
const rule = v.union([
  v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  v.pipe(v.string(), v.nonEmpty(), v.maxLength(200)),
]);
const by = v.optional(v.pipe(v.string(), v.maxLength(200)), 'a message');

/** Start the task coroutine. Two further names are the original's older and newer one for the same. */
const runSystemTasks = v.object({ type: v.literal('run.system.tasks'), by, reply_channel: replyChannel });
const runBackgroundTasks = v.object({ ...runSystemTasks.entries, type: v.literal('run.background.tasks') });
const runSchedule = v.object({ ...runSystemTasks.entries, type: v.literal('run.schedule') });
/** Start the logger coroutine. */
const logServer = v.object({ type: v.literal('log.server'), by, reply_channel: replyChannel });
/** Answer with the status of all tasks. */
const jobList = v.object({ type: v.literal('job.list'), reply_channel: v.string() });
/** Run a rule now. */
const jobRun = v.object({
  type: v.literal('job.run'),
  rule,
  args: v.optional(v.unknown()),
  by,
  reply_channel: replyChannel,
});
/** Answer with what became of a request for a run so far. */
const jobGet = v.object({
  type: v.literal('job.get'),
  request: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  reply_channel: v.string(),
});
/** End the run of a rule that goes on, and forget requests for runs that have not begun. */
const jobCancel = v.object({
  type: v.literal('job.cancel'),
  rule,
  by,
  reply_channel: replyChannel,
});
/**
 * Push to a user's subscriptions, or to all of them. The names are those of the original: a user's number comes as a
 * number. What the data may be is checked by what queues it.
 */
const sendPush = v.object({
  type: v.literal('send.push'),
  user_id: v.optional(v.nullable(v.union([v.string(), v.pipe(v.number(), v.transform(String))])), null),
  data: v.union([v.string(), v.record(v.string(), v.unknown())]),
  urgency: v.optional(v.picklist(['very-low', 'low', 'normal', 'high'])),
  topic: v.optional(v.string()),
  ttl: v.optional(v.number()),
  by,
  reply_channel: replyChannel,
});
/** Somebody wrote to the rules or the requests: look now. */
const rulesChanged = v.object({ type: v.literal('rules.changed') });
/** Answer with who this is and how it is doing. */
const workerPing = v.object({ type: v.literal('worker.ping'), reply_channel: v.string() });

/** By their types, what their parsers are made of. */
export const schemas = {
  'log.server': logServer,
  'run.system.tasks': runSystemTasks,
  'run.background.tasks': runBackgroundTasks,
  'run.schedule': runSchedule,
  'job.list': jobList,
  'job.run': jobRun,
  'job.get': jobGet,
  'job.cancel': jobCancel,
  'send.push': sendPush,
  'rules.changed': rulesChanged,
  'worker.ping': workerPing,
} as const;

/** A message of a type. */
export type Of<T extends keyof typeof schemas> = v.InferOutput<(typeof schemas)[T]>;
