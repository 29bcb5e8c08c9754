// Lists of names and numbers, for all languages.

import type { Ranges } from './language.js';

/** `a, b and c` */
export function listed(items: readonly string[], lastSeparator: string): string {
  const [last = ''] = items.slice(-1);
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')}${lastSeparator}${last}`;
}

/** `8`, `10 to 12` */
export function rangeTexts(ranges: NonNullable<Ranges>, to: string): string[] {
  return ranges.map(([first, last]) => (first === last ? String(first) : `${first}${to}${last}`));
}

/** Whether the days are those from Monday to Friday. */
export function isWorkdays(weekdays: readonly number[]): boolean {
  return weekdays.join() === '0,1,2,3,4';
}
