// Saves a sender's records when the process ends without closing it.

import { onExit } from 'signal-exit';

/** Something with records in memory. */
export interface Guarded {
  /** Whether a short wait would get records acknowledged. */
  readonly isBusy: boolean;
  /** The process has nothing else to do: sends the records, and closes what keeps the process alive. */
  suspend(): Promise<void>;
  /** The process ends now: writes the records to disk. Synchronous; must not throw. */
  saveAtExit(): void;
}

const guarded = new Set<Guarded>();
let isListening = false;
let isExiting = false;
// A program may create a logger in a listener of `exit`. Node does not call listeners that are added then.
process.prependListener('exit', () => {
  isExiting = true;
});

/**
 * Calls `suspend` and `saveAtExit` at the end of the process, except after SIGKILL, `process.abort()` or a crash of Node.
 *
 * @returns what ends this
 */
export function guardAtExit(thing: Guarded): () => void {
  if (isExiting && !isListening) {
    thing.saveAtExit();
    return () => undefined;
  }
  guarded.add(thing);
  if (!isListening) {
    isListening = true;
    process.on('beforeExit', suspendAll);
    onExit(saveAll, { alwaysLast: true });
  }
  return () => guarded.delete(thing);
}

function suspendAll(): void {
  for (const thing of guarded) {
    // On failure the records are on disk, or the sender has reported trouble.
    if (thing.isBusy) thing.suspend().catch(() => undefined);
  }
}

function saveAll(): void {
  for (const thing of guarded) thing.saveAtExit();
}
