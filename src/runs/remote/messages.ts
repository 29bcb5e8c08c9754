// The messages between a worker and the thread or process of a run. Others, which a procedure may send, are
// dropped.

import * as v from 'valibot';

const text = v.string();
const nullableText = v.nullable(v.string());
const nullableNumber = v.nullable(v.number());
const level = v.picklist(['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']);

/** The resources that a run in a thread or process has used; null where unknown. */
const usage = v.object({ cpuMs: nullableNumber, memoryBytes: nullableNumber });

const toRun = v.variant('linod', [
  /** The first message: the site and the worker. */
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
    /** How far this machine's clock is ahead of the database's, in ms. */
    skewMs: v.number(),
    args: v.unknown(),
    checkpoint: v.unknown(),
    /** From this level on the job keeps what is logged, whatever the site's levels say. */
    level,
    /** Whether it logs at DEBUG, whatever any level says. */
    debug: v.boolean(),
    /** Its span, by the keys of W3C Trace Context; null without traces. */
    trace: v.nullable(v.object({ traceparent: v.optional(text), tracestate: v.optional(text) })),
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
  /** The abort message has arrived. */
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
  /** The procedure has ended. */
  v.object({
    linod: v.literal('end'),
    /** The error with its stack, and in one line; null after success. */
    error: v.nullable(v.object({ text, headline: text })),
    /** Whether the thread or process can be used again. */
    isClean: v.boolean(),
    usage,
  }),
  /** An uncaught error. */
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
