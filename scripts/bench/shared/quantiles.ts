// What most values are below.

/** The median, and what one in a hundred exceeds. NaN of nothing. */
export function quantiles(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (quantile: number) => sorted[Math.floor(sorted.length * quantile)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

/** The median and the largest, of values too few for a quantile beyond it. NaN and -Infinity of nothing. */
export function middleAndMost(values: readonly number[]): { readonly p50: number; readonly max: number } {
  return { p50: quantiles(values).p50, max: Math.max(...values) };
}
