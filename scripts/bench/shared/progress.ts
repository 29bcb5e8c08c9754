// How far it is.

/** Goes to stderr, so that stdout holds the results only. */
export function say(text: string): void {
  process.stderr.write(`${(performance.now() / 1000).toFixed(0).padStart(4)} s  ${text}\n`);
}
