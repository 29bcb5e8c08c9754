// Measures how late the event loop serves its timers.

const everyMs = 500;

/**
 * Calls `onTick` twice a second, as long as the loop turns.
 *
 * @param onTick how late it is, in seconds
 * @returns ends it
 */
export function watchLoop(onTick: (lateSeconds: number) => void): () => void {
  let dueAt = performance.now() + everyMs;
  const timer = setInterval(() => {
    const now = performance.now();
    onTick(Math.max(0, now - dueAt) / 1000);
    dueAt = now + everyMs;
  }, everyMs).unref();
  return () => clearInterval(timer);
}
