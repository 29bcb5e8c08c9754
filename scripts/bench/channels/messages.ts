// The message that all peers send. peer.py makes the same one.

/** What the msgpack of a message holds besides its text. */
const overheadBytes = 27;

export interface BenchMessage {
  readonly type: 'bench.message';
  readonly text: string;
  /** When it was sent, where its time is taken: CLOCK_MONOTONIC in milliseconds. */
  readonly at?: number;
}

/** A message of about so many bytes as msgpack. */
export function messageOf(bytes: number): BenchMessage {
  return { type: 'bench.message', text: 'x'.repeat(Math.max(0, bytes - overheadBytes)) };
}

/** Now, by the clock that all processes of the machine share; Python's `time.monotonic_ns`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
