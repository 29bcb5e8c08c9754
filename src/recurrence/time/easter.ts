// The date of Easter.

import { dayMs, yearOf } from './wall-time.js';

/**
 * The day number of Easter Sunday in a Gregorian year; 1 January 1970 is 0.
 *
 * Source: the "anonymous" algorithm of Nature, 1876, as given by Jean Meeus, Astronomical Algorithms, chapter
 * 8.
 */
export function easterSunday(year: number): number {
  const goldenYear = year % 19;
  const century = Math.floor(year / 100);
  const yearOfCentury = year % 100;
  const leapCenturies = Math.floor(century / 4);
  const moonCorrection = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  const fullMoon = (19 * goldenYear + century - leapCenturies - moonCorrection + 15) % 30;
  const toSunday =
    (32 + 2 * (century % 4) + 2 * Math.floor(yearOfCentury / 4) - fullMoon - (yearOfCentury % 4)) % 7;
  const tooLate = Math.floor((goldenYear + 11 * fullMoon + 22 * toSunday) / 451);
  // Counted from 22 March.
  const days = fullMoon + toSunday - 7 * tooLate;
  return Date.UTC(year, 2, 22) / dayMs + days;
}

/** How many days a day is after the Easter of its year; negative if before. */
export function daysAfterEaster(day: number): number {
  return day - easterSunday(yearOf(day));
}
