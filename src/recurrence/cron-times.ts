// The wall times that a cron expression means.

import type { CronExpression } from './cron-expression.js';
import { daysInMonth, firstDayOfMonth, monthOf } from './periods.js';
import { dayMs, dayOf, lastSecondMs, modulo, weekdayOf } from './wall-time.js';
import type { WallTimes } from './wall-times.js';

/** After so many months the calendar looks the same again. */
const cycleMonths = 4800;

/**
 * A month's days are bits of one number, bit 0 for the first. They depend on the month's length and first weekday
 * alone, so that there are 28 such numbers at most; the next time within a day is found in lists of what is allowed.
 */
export class CronTimes implements WallTimes {
  readonly #cron: CronExpression;
  readonly #startWall: number;
  readonly #days = new Map<number, number>();
  /** Whether a whole cycle of the calendar was searched in vain. */
  #isNever = false;

  constructor(cron: CronExpression, startWall: number) {
    this.#cron = cron;
    this.#startWall = startWall;
  }

  firstFrom(wall: number): number {
    const day = dayOf(wall);
    const today = this.#isDue(day) ? this.#timeFrom(Math.ceil((wall - day * dayMs) / 1000)) : undefined;
    if (today !== undefined) return day * dayMs + today * 1000;
    const next = this.#dayFrom(day + 1);
    return next === undefined ? Number.POSITIVE_INFINITY : next * dayMs + (this.#timeFrom(0) ?? 0) * 1000;
  }

  nth(n: number): number {
    const { hours, minutes, seconds } = this.#cron;
    const perDay = hours.length * minutes.length * seconds.length;
    const startDay = dayOf(this.#startWall);
    // Those of the first day that come before the start do not count.
    let left = n + (this.#isDue(startDay) ? this.#countBefore(this.#startWall - startDay * dayMs) : 0);
    for (let day = this.#dayFrom(startDay); day !== undefined; ) {
      const month = monthOf(day);
      const bits = this.#daysOf(month) >>> (day - firstDayOfMonth(month));
      const inMonth = countBits(bits) * perDay;
      if (left <= inMonth) return this.#wallOf(day, bits, left, perDay);
      left -= inMonth;
      day = this.#dayFrom(firstDayOfMonth(month + 1));
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The `n`th wall time of some days: `bits` are those of `day` and after. */
  #wallOf(day: number, bits: number, n: number, perDay: number): number {
    let rest = bits;
    for (let skipped = Math.floor((n - 1) / perDay); skipped > 0; skipped--) rest &= rest - 1;
    const { hours, minutes, seconds } = this.#cron;
    const index = (n - 1) % perDay;
    const second = seconds[index % seconds.length] ?? 0;
    const minute = minutes[Math.floor(index / seconds.length) % minutes.length] ?? 0;
    const hour = hours[Math.floor(index / seconds.length / minutes.length)] ?? 0;
    return (day + lowestBit(rest)) * dayMs + (hour * 3600 + minute * 60 + second) * 1000;
  }

  #countBefore(timeOfDay: number): number {
    let count = 0;
    for (let time = this.#timeFrom(0); time !== undefined && time * 1000 < timeOfDay; count++) {
      time = this.#timeFrom(time + 1);
    }
    return count;
  }

  /** The first allowed time of day that is not before `from`, both in seconds since midnight. */
  #timeFrom(from: number): number | undefined {
    const { hours, minutes, seconds } = this.#cron;
    const [hour, minute, second] = [Math.floor(from / 3600), Math.floor(from / 60) % 60, from % 60];
    const [firstMinute = 0, firstSecond = 0] = [minutes[0], seconds[0]];
    if (hours.includes(hour)) {
      const laterSecond = minutes.includes(minute) ? atLeast(seconds, second) : undefined;
      if (laterSecond !== undefined) return hour * 3600 + minute * 60 + laterSecond;
      const laterMinute = atLeast(minutes, minute + 1);
      if (laterMinute !== undefined) return hour * 3600 + laterMinute * 60 + firstSecond;
    }
    const laterHour = atLeast(hours, hour + 1);
    return laterHour === undefined ? undefined : laterHour * 3600 + firstMinute * 60 + firstSecond;
  }

  #isDue(day: number): boolean {
    const month = monthOf(day);
    return ((this.#daysOf(month) >>> (day - firstDayOfMonth(month))) & 1) === 1;
  }

  /** The first meant day from `day` on; undefined if there is none as far as the calendar goes. */
  #dayFrom(day: number): number | undefined {
    if (this.#isNever) return undefined;
    const first = monthOf(day);
    for (let month = first; month <= first + cycleMonths; month++) {
      const firstDay = firstDayOfMonth(month);
      if (firstDay * dayMs > lastSecondMs) return undefined;
      const passed = Math.max(0, day - firstDay);
      const bits = this.#daysOf(month) >>> passed;
      if (bits !== 0) return firstDay + passed + lowestBit(bits);
    }
    this.#isNever = true;
    return undefined;
  }

  /** The meant days of a month as bits. */
  #daysOf(month: number): number {
    if (!this.#cron.months.includes(modulo(month, 12) + 1)) return 0;
    const length = daysInMonth(month);
    const firstWeekday = weekdayOf(firstDayOfMonth(month));
    const key = length * 7 + firstWeekday;
    const known = this.#days.get(key);
    const days = known ?? this.#meant(length, firstWeekday);
    if (known === undefined) this.#days.set(key, days);
    return days;
  }

  #meant(length: number, firstWeekday: number): number {
    const { days, weekdays, eitherDay } = this.#cron;
    let [byDay, byWeekday] = [0, 0];
    for (let day = 1; day <= length; day++) {
      const bit = 1 << (day - 1);
      if (days.includes(day) || days.includes(day - length)) byDay |= bit;
      const weekday = (firstWeekday + day - 1) % 7;
      const position = Math.ceil(day / 7);
      const isLast = day + 7 > length;
      const fits = weekdays.some(
        (meant) =>
          meant.weekday === weekday &&
          (meant.position === null || meant.position === position || (meant.position === -1 && isLast)),
      );
      if (fits) byWeekday |= bit;
    }
    return eitherDay ? byDay | byWeekday : byDay & byWeekday;
  }
}

function atLeast(sorted: readonly number[], least: number): number | undefined {
  return sorted.find((value) => value >= least);
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
