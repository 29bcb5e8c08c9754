// Whether a quantity grows: the line through its samples, and how sure the slope of it is.

export interface Slope {
  /** By how much it grows in an hour. */
  readonly perHour: number;
  /** With 95 % confidence the slope is at most this much more or less; infinite with fewer than three samples. */
  readonly margin: number;
}

const hourMs = 3_600_000;
/** Of the normal distribution, both sides. */
const z95 = 1.96;

/** Least squares. `points`: milliseconds and the quantity. */
export function slopeOf(points: ReadonlyArray<readonly [atMs: number, value: number]>): Slope {
  const hours = points.map(([atMs]) => atMs / hourMs);
  const values = points.map(([, value]) => value);
  const [meanX, meanY] = [mean(hours), mean(values)];
  const spread = sum(hours.map((x) => (x - meanX) ** 2));
  if (points.length < 3 || spread === 0) return { perHour: 0, margin: Number.POSITIVE_INFINITY };
  const perHour = sum(hours.map((x, i) => (x - meanX) * ((values[i] ?? 0) - meanY))) / spread;
  const residues = sum(hours.map((x, i) => ((values[i] ?? 0) - meanY - perHour * (x - meanX)) ** 2));
  return { perHour, margin: z95 * Math.sqrt(residues / (points.length - 2) / spread) };
}

/** Whether it grows by more than the bound, beyond doubt. */
export function exceeds({ perHour, margin }: Slope, boundPerHour: number): boolean {
  return perHour - margin > boundPerHour;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
