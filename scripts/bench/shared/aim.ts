// What a number, or a ratio, is to be.

export interface Aim {
  readonly bound: 'at least' | 'at most';
  readonly value: number;
}

export function atLeast(value: number): Aim {
  return { bound: 'at least', value };
}

export function atMost(value: number): Aim {
  return { bound: 'at most', value };
}

export function reaches(value: number, { bound, value: limit }: Aim): boolean {
  return bound === 'at least' ? value >= limit : value <= limit;
}

/** How tables write the bound: `≥`, `≤`. */
export function signOf({ bound }: Aim): string {
  return bound === 'at least' ? '≥' : '≤';
}
