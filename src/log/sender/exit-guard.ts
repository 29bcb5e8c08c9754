// What happens to a sender's records when the process ends without closing it.

import { onExit } from 'signal-exit';

/** Something with records in memory. */
export interface Guarded {
  /** Whether waiting a little would bring records home. */
  readonly isBusy: boolean;
  /** The process has nothing else to do: sends what it has and gives up what would keep the process alive. */
  rest(): Promise<void>;
  /** The process ends now: brings to disk what it has. Synchronous; must not throw. */
  abandon(): void;
}

const guarded = new Set<Guarded>();
let isListening = false;
let isExiting = false;
// A logger may be made as late as in a listener of this event. Those that are added then are not called any more.
process.prependListener('exit', () => {
  isExiting = true;
});

/** Takes care of it at the end of the process, save by SIGKILL, `process.abort()` or a crash of Node. Returns what ends the care. */
export function guardAtExit(thing: Guarded): () => void {
  if (isExiting && !isListening) {
    thing.abandon();
    return () => undefined;
  }
  guarded.add(thing);
  if (!isListening) {
    isListening = true;
    process.on('beforeExit', restAll);
    onExit(abandonAll, { alwaysLast: true });
  }
  return () => guarded.delete(thing);
}

function restAll(): void {
  for (const thing of guarded) {
    // What could not be sent is on disk; and if that failed, the sender's owner was told.
    if (thing.isBusy) thing.rest().catch(() => undefined);
  }
}

function abandonAll(): void {
  for (const thing of guarded) thing.abandon();
}
