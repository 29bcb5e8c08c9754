// Traces of runs. A request keeps in the database where it belongs, since another worker may take it up.

import {
  activeTrace,
  type OpenSpan,
  startSpan,
  type TraceKeys,
  traceKeysOf,
} from '../../channels/tracing/peer.js';

/** What the span of a run says. */
export interface TracedRun {
  readonly procedure: string;
  readonly rule: number;
  readonly job: number;
  readonly attempt: number;
  readonly runIn: string;
  /** Where its request belongs; null for a due time, which begins a trace. */
  readonly trace: TraceKeys | null;
}

/** The active span as text for the database; null when there is none. */
export function traceText(): string | null {
  const keys = activeTrace();
  return keys === null ? null : JSON.stringify(keys);
}

/** Reads {@link traceText}. Whatever else somebody wrote there begins a trace. */
export function traceFromText(text: string | null): TraceKeys | null {
  if (text === null) return null;
  try {
    const read: unknown = JSON.parse(text);
    return typeof read === 'object' && read !== null ? traceKeysOf(read) : null;
  } catch {
    return null;
  }
}

export function runSpan(run: TracedRun): OpenSpan | undefined {
  return startSpan({
    name: `run ${run.procedure}`,
    kind: 'CONSUMER',
    attributes: {
      'messaging.system': 'linod',
      'messaging.operation.name': 'run',
      'messaging.operation.type': 'process',
      'messaging.destination.name': run.procedure,
      'linod.rule': run.rule,
      'linod.job': run.job,
      'linod.attempt': run.attempt,
      'linod.run_in': run.runIn,
    },
    parent: run.trace,
  });
}
