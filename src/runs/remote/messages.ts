// What a worker and the thread or process of a run say to one another. Both lists are closed: what else
// comes, from a procedure that uses the same way for itself, is dropped.

import * as v from 'valibot';

const text = v.string();
const nullableText = v.nullable(v.string());
const nullableNumber = v.nullable(v.number());
const level = v.picklist(['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']);

/** How a run that has a thread or process of its own has used the machine, as far as it is known. */
const usage = v.object({ cpuMs: nullableNumber, memoryBytes: nullableNumber });

const toRun = v.variant('linod', [
  /** The first: which site it is, and whose process has begun it. */
  v.object({
    linod: v.literal('begin'),
    directory: text,
    /** The settings of the worker but for its consumers, which are functions. */
    settings: v.record(v.string(), v.unknown()),
    workerId: text,
    pid: v.number(),
  }),
  /** Run a procedure. */
  v.object({
    linod: v.literal('run'),
    jobId: v.number(),
    procedure: text,
    user: nullableText,
    /** In ms since 1970. */
    dueAt: nullableNumber,
    attempt: v.number(),
    /** By how much this machine's clock is ahead of the one by which rules are due, in ms. */
    skewMs: v.number(),
    args: v.unknown(),
    checkpoint: v.unknown(),
    /** From this level on the job keeps what is logged, whatever the site's levels say. */
    level,
    /** The site's levels by logger names, as the worker knows them by now. */
    levels: v.record(v.string(), level),
  }),
  /** The run is to end. */
  v.object({ linod: v.literal('abort'), status: v.picklist(['cancelled', 'timeout', 'lost']), why: text }),
]);

const fromRun = v.variant('linod', [
  /** The site's procedures could not be loaded. */
  v.object({ linod: v.literal('unable'), error: text }),
  /** The site is loaded, and the procedure begins. */
  v.object({ linod: v.literal('begun') }),
  /** The wish that the run ends has arrived. */
  v.object({ linod: v.literal('aborting') }),
  v.object({
    linod: v.literal('log'),
    level,
    logger: text,
    message: text,
    /** JSON. */
    fields: nullableText,
    trace: nullableText,
  }),
  v.object({ linod: v.literal('progress'), done: v.number(), total: nullableNumber, text: nullableText }),
  /** The run has asked for another one. */
  v.object({ linod: v.literal('requested') }),
  /** The procedure has come to its end. */
  v.object({
    linod: v.literal('end'),
    /** What it threw, with its stack, and in one line; null when all went well. */
    error: v.nullable(v.object({ text, headline: text })),
    /** Whether nothing of it goes on, so that the thread or process can be used again. */
    isClean: v.boolean(),
    usage,
  }),
  /** Something was thrown that nobody caught. */
  v.object({ linod: v.literal('uncaught'), origin: text, error: text }),
]);

export type Usage = v.InferOutput<typeof usage>;
export type ToRun = v.InferOutput<typeof toRun>;
export type FromRun = v.InferOutput<typeof fromRun>;

/** Null for what is not ours. */
export function parseToRun(value: unknown): ToRun | null {
  const parsed = v.safeParse(toRun, value);
  return parsed.success ? parsed.output : null;
}

/** Null for what is not ours. */
export function parseFromRun(value: unknown): FromRun | null {
  const parsed = v.safeParse(fromRun, value);
  return parsed.success ? parsed.output : null;
}
