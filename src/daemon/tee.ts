// One record to several places.

import type { LogSink } from '../log/sink.js';

/** Writes each record to all of the sinks. Flushing and closing are their owners' business. */
export function tee(...sinks: readonly LogSink[]): LogSink {
  return {
    write(...record) {
      for (const sink of sinks) sink.write(...record);
    },
  };
}
