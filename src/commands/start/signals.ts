// How a process that runs until it is stopped ends: signals, uncaught errors, and the last moment.

import { signalExitCode } from '../main.js';
import { say } from '../views/output.js';

/** After everything is closed, the process has this long to end by itself. */
const endAfterMs = 200;

/** Aborts at TERM and INT; a second one ends the process at once. */
export function listenToStop(stop: AbortController): void {
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      say(`${signal} again: ending at once`);
      process.exit(signalExitCode(signal));
    }
    say(`${signal}: stopping; repeat to end at once`);
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

/**
 * Stops the process after an uncaught error, such as a forgotten promise of a procedure. The state is unknown then, so
 * the process drains and ends, and its supervisor restarts it.
 */
export function stopAtCrash(stop: AbortController, log: (error: unknown) => void): void {
  const onCrash = (error: unknown) => {
    process.exitCode = 1;
    log(error);
    stop.abort();
  };
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
}

/** Abandoned runs and open handles of consumers must not keep the process alive. `main` sets the exit code. */
export function endSoon(): void {
  setTimeout(() => process.exit(), endAfterMs).unref();
}
