// The aims that were missed, and whether the bare client of the same run reaches them: what that misses, too, no layer on
// Node can reach.

import { type Aim, reaches } from '../shared/aim.js';
import type { Results } from '../shared/results.js';
import type { Line, Unit } from './table.js';

/** An aim that was missed. */
export interface Missed {
  readonly work: string;
  readonly layer: string;
  readonly unit: Unit;
  readonly aim: Aim;
  /** Of whose number the aim is a multiple; undefined where it is a number itself. */
  readonly of?: string;
  readonly ours: number;
  /** The same of the bare client; undefined when there is none for this work. */
  readonly bare?: number;
  readonly doesBareReach?: boolean;
}

export function missedAims(lines: readonly Line[], results: Results): Missed[] {
  return lines.flatMap(({ work, layer, unit, number, aim, comparisons }) => {
    const ours = results.median(number);
    if (ours === undefined) return [];
    const floor = comparisons.find(({ isBare }) => isBare);
    const bare = floor && results.median(floor.number);
    const judged = (aim: Aim, by: number, of?: string): Missed[] => {
      if (reaches(ours / by, aim)) return [];
      const missed = { work, layer, unit, aim, ours: ours / by, ...(of === undefined ? {} : { of }) };
      return [
        bare === undefined ? missed : { ...missed, bare: bare / by, doesBareReach: reaches(bare / by, aim) },
      ];
    };
    const own = aim === undefined ? [] : judged(aim, 1);
    const compared = comparisons.flatMap((comparison) => {
      const theirs = results.median(comparison.number);
      return comparison.aim === undefined || comparison.isBare || theirs === undefined
        ? []
        : judged(comparison.aim, theirs, comparison.with);
    });
    return [...own, ...compared];
  });
}
