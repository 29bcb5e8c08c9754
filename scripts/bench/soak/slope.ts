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
/** Beyond it every slope would be in doubt. */
const mostLikeness = 0.95;

/**
 * Least squares. `points`: milliseconds and the quantity. A sample resembles the one before it (a heap is large for some
 * minutes, then small again), so that there are fewer independent ones than there seem to be; by how many the correlation
 * of the residues tells.
 */
export function slopeOf(points: ReadonlyArray<readonly [atMs: number, value: number]>): Slope {
  const hours = points.map(([atMs]) => atMs / hourMs);
  const values = points.map(([, value]) => value);
  const [meanX, meanY] = [mean(hours), mean(values)];
  const spread = sum(hours.map((x) => (x - meanX) ** 2));
  if (points.length < 3 || spread === 0) return { perHour: 0, margin: Number.POSITIVE_INFINITY };
  const perHour = sum(hours.map((x, i) => (x - meanX) * ((values[i] ?? 0) - meanY))) / spread;
  const residues = hours.map((x, i) => (values[i] ?? 0) - meanY - perHour * (x - meanX));
  const variance = sum(residues.map((each) => each ** 2)) / (points.length - 2);
  const likeness = Math.min(Math.max(correlation(residues), 0), mostLikeness);
  const fewer = (1 + likeness) / (1 - likeness);
  return { perHour, margin: z95 * Math.sqrt((variance * fewer) / spread) };
}

/** Whether it grows by more than the bound, beyond doubt. */
export function exceeds({ perHour, margin }: Slope, boundPerHour: number): boolean {
  return perHour - margin > boundPerHour;
}

/** Of each with the one before it: -1 … 1. */
function correlation(values: readonly number[]): number {
  const squares = sum(values.map((each) => each ** 2));
  return squares === 0 ? 0 : sum(values.slice(1).map((each, i) => each * (values[i] ?? 0))) / squares;
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
