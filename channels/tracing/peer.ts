// OpenTelemetry's API, an optional peer. Without it, all of this does nothing.

import { createRequire } from 'node:module';
import type { Context, Link, ProxyTracerProvider, Span, Tracer, TracerProvider } from '@opentelemetry/api';

type Api = typeof import('@opentelemetry/api');

/** The keys of W3C Trace Context, as messages and headers carry them. */
export interface TraceKeys {
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

// The exported types are our own, so that programs without the peer compile against them.

/** What a span says: names and values. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanFacts {
  readonly name: string;
  readonly kind: 'SERVER' | 'PRODUCER' | 'CONSUMER';
  readonly attributes: SpanAttributes;
  /** The span that it belongs below; null for none, undefined for the active one. */
  readonly parent?: TraceKeys | null;
  /** Another span that has to do with it. */
  readonly link?: TraceKeys | undefined;
}

/** Where every copy of the API keeps what an SDK registers. Loading the API takes time that most programs never need. */
const registry = Symbol.for('opentelemetry.js.api.1');
/** Null when it is not installed. */
let loaded: Api | null | undefined;
let tracer: Tracer | undefined;
let untracedKey: symbol | undefined;

/** The API, once something is registered with it. Until then nothing can be traced. */
function peer(): Api | undefined {
  if (loaded === undefined && Reflect.has(globalThis, registry)) loaded = loadPeer();
  return loaded ?? undefined;
}

/** Whether the application has registered an SDK with the peer. Without one, spans would cost time for nothing. */
export function isTracing(): boolean {
  return registeredTracer() !== undefined;
}

function registeredTracer(): Tracer | undefined {
  const api = peer();
  if (tracer !== undefined || api === undefined) return tracer;
  const provider = api.trace.getTracerProvider();
  tracer = isProxy(provider) ? provider.getDelegateTracer('linod') : provider.getTracer('linod');
  return tracer;
}

/** The API's own provider, which only an SDK gives tracers. */
function isProxy(provider: TracerProvider): provider is ProxyTracerProvider {
  return 'getDelegateTracer' in provider;
}

function loadPeer(): Api | null {
  try {
    return createRequire(import.meta.url)('@opentelemetry/api') as Api;
  } catch {
    return null;
  }
}

/** A span that has begun. */
export interface OpenSpan {
  /** The span as keys, for a message or a header. */
  readonly keys: TraceKeys;
  /** Calls `work` with this span as the active one. */
  run<T>(work: () => T): T;
  set(attributes: SpanAttributes): void;
  /** @param errorType the kind of failure in a word; undefined after success */
  end(errorType?: string, error?: unknown): void;
}

class PeerSpan implements OpenSpan {
  readonly #api: Api;
  readonly #span: Span;
  readonly #context: Context;
  readonly keys: TraceKeys;

  constructor(peer: Api, span: Span, context: Context) {
    this.#api = peer;
    this.#span = span;
    this.#context = peer.trace.setSpan(context, span);
    this.keys = keysOf(peer, this.#context);
  }

  run<T>(work: () => T): T {
    return this.#api.context.with(this.#context, work);
  }

  set(attributes: SpanAttributes): void {
    this.#span.setAttributes(attributes);
  }

  end(errorType?: string, error?: unknown): void {
    if (errorType !== undefined) {
      this.#span.setAttribute('error.type', errorType);
      this.#span.setStatus({ code: this.#api.SpanStatusCode.ERROR });
    }
    if (error instanceof Error) this.#span.recordException(error);
    this.#span.end();
  }
}

/** @returns undefined without the peer, without an SDK, and within {@link untraced} */
export function startSpan({ name, kind, attributes, parent, link }: SpanFacts): OpenSpan | undefined {
  const api = peer();
  const tracer = registeredTracer();
  if (api === undefined || tracer === undefined) return undefined;
  const active = api.context.active();
  if (untracedKey !== undefined && active.getValue(untracedKey) === true) return undefined;
  const above = parent === undefined ? active : contextOf(api, parent);
  const linked = link === undefined ? undefined : api.trace.getSpanContext(contextOf(api, link));
  const links: Link[] = linked === undefined ? [] : [{ context: linked }];
  const span = tracer.startSpan(name, { kind: api.SpanKind[kind], attributes, links }, above);
  return api.isSpanContextValid(span.spanContext()) ? new PeerSpan(api, span, above) : undefined;
}

/** Does some work in a span, which ends when the work does. */
export async function inSpan<T>(
  span: OpenSpan | undefined,
  work: () => Promise<T>,
  isError: (error: unknown) => boolean = () => true,
): Promise<T> {
  if (span === undefined) return await work();
  try {
    const result = await span.run(work);
    span.end();
    return result;
  } catch (error) {
    if (isError(error)) span.end(errorTypeOf(error), error);
    else span.end();
    throw error;
  }
}

function errorTypeOf(error: unknown): string {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  if (typeof code === 'string') return code;
  return error instanceof Error ? error.name : '_OTHER';
}

/** Calls `work` so that no span of linod begins in it: for messages that would trace the log itself. */
export function untraced<T>(work: () => T): T {
  const api = peer();
  if (api === undefined) return work();
  untracedKey ??= api.createContextKey('linod: untraced');
  return api.context.with(api.ROOT_CONTEXT.setValue(untracedKey, true), work);
}

/** Calls `work` outside of any trace: for what goes on longer than the call that began it. */
export function detached<T>(work: () => T): T {
  const api = peer();
  return api === undefined ? work() : api.context.with(api.ROOT_CONTEXT, work);
}

/** Calls `work` as a part of the trace that the keys name. */
export function withTrace<T>(keys: TraceKeys | null | undefined, work: () => T): T {
  const api = peer();
  return api === undefined || keys == null ? work() : api.context.with(contextOf(api, keys), work);
}

/** Whether a span is active. */
export function hasActiveSpan(): boolean {
  return peer()?.trace.getActiveSpan() !== undefined;
}

/** The trace of the active span; undefined when there is none. */
export function activeTraceId(): string | undefined {
  const api = peer();
  if (api === undefined || !isTracing()) return undefined;
  const active = api.trace.getActiveSpan()?.spanContext();
  return active !== undefined && api.isSpanContextValid(active) ? active.traceId : undefined;
}

/** The active span as keys; null when there is none. */
export function activeTrace(): TraceKeys | null {
  const api = peer();
  if (api === undefined) return null;
  const keys = keysOf(api, api.context.active());
  return keys.traceparent === undefined ? null : keys;
}

/** Names the active span anew. */
export function renameSpan(name: string, attributes: SpanAttributes): void {
  const span = peer()?.trace.getActiveSpan();
  span?.updateName(name);
  span?.setAttributes(attributes);
}

/** The keys among those of a message or of headers. */
export function traceKeysOf(carrier: object): TraceKeys | null {
  const traceparent: unknown = Reflect.get(carrier, 'traceparent');
  const tracestate: unknown = Reflect.get(carrier, 'tracestate');
  if (typeof traceparent !== 'string') return null;
  return { traceparent, ...(typeof tracestate === 'string' && { tracestate }) };
}

/** Other keys of a propagator, such as `baggage`, may be the application's own. */
function keysOf(peer: Api, context: Context): TraceKeys {
  const carrier: Record<string, unknown> = {};
  peer.propagation.inject(context, carrier);
  return traceKeysOf(carrier) ?? {};
}

function contextOf(peer: Api, keys: TraceKeys | null): Context {
  return keys === null ? peer.ROOT_CONTEXT : peer.propagation.extract(peer.ROOT_CONTEXT, keys);
}
