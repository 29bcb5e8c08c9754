// The lines of the table with what was found.

import { type Aim, reaches } from '../shared/aim.js';
import type { Results } from '../shared/results.js';
import type { Line, Unit } from './table.js';

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
