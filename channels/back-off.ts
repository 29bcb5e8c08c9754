// How long to wait before trying again what failed.

const firstMs = 100;
const maxMs = 30_000;

/**
 * Milliseconds to wait after so many failures in a row (1, 2, …): 100 ms doubled each time up to 30 s, of which up
 * to a half is taken off by chance, so that many processes do not come back in one moment.
 *
 * `random` is like `Math.random`.
 */
export function backOffMs(failures: number, random: () => number): number {
  const fullMs = Math.min(maxMs, firstMs * 2 ** (failures - 1));
  return Math.round(fullMs * (1 - random() / 2));
}
