// What was found, run by run, and the medians of it.

import type { Found } from './measure.js';
import type { Aim, Line, Reference, Unit } from './table.js';

export class Results {
  readonly #runs = new Map<string, number[]>();

  add(experiment: string, contestant: string, found: Found): void {
    for (const [name, value] of Object.entries(found)) {
      const reference = `${experiment}.${contestant}.${name}`;
      const runs = this.#runs.get(reference);
      if (runs === undefined) this.#runs.set(reference, [value]);
      else runs.push(value);
    }
  }

  /** Undefined when it was not measured. */
  median(reference: Reference): number | undefined {
    const sorted = [...(this.#runs.get(reference) ?? [])].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  }

  toJSON(): Record<string, readonly number[]> {
    return Object.fromEntries(this.#runs);
  }
}

/** A line of the table with its numbers. */
export interface Row {
  readonly work: string;
  readonly layer: string;
  readonly unit: Unit;
  readonly ours: number;
  /** With whom it is compared; undefined where only the number counts. */
  readonly with?: string;
  readonly theirs?: number;
  /** Ours divided by theirs. */
  readonly ratio?: number;
  readonly aim?: Aim;
  readonly isReached?: boolean;
}

/** The rows of those comparisons of which both sides were measured. */
export function rowsOf(lines: readonly Line[], results: Results): Row[] {
  return lines.flatMap(({ work, layer, unit, number, aim, comparisons }) => {
    const ours = results.median(number);
    if (ours === undefined) return [];
    const line = { work, layer, unit, ours };
    const own = aim === undefined ? [] : [{ ...line, aim, isReached: reaches(ours, aim) }];
    const compared = comparisons.flatMap((comparison): Row[] => {
      const theirs = results.median(comparison.number);
      if (theirs === undefined) return [];
      const ratio = ours / theirs;
      const judged =
        comparison.aim === undefined
          ? {}
          : { aim: comparison.aim, isReached: reaches(ratio, comparison.aim) };
      return [{ ...line, with: comparison.with, theirs, ratio, ...judged }];
    });
    return [...own, ...compared];
  });
}

function reaches(value: number, { bound, value: limit }: Aim): boolean {
  return bound === 'at least' ? value >= limit : value <= limit;
}
